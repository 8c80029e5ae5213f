"""X: texts that are odd or long, and payloads that are large."""

import pytest
from tests.alerts.vectors.table import PATH, alert, refused, row, table, webhook, with_bytes
from tests.stage import Stage

from incident_service.alerts.fingerprint import of_labels
from incident_service.core.clock import monotonic_s

ODD = "\u202ertl \u200bzero \u2028line 🚨 e" + "\u0301" * 50
BAD = {"status": "firing"}
LABELS = {"alertname": "DiskFull", "severity": "critical"}


def linked(url: str) -> bytes:
    return webhook(alert(generatorURL=url))


@table(
    row(
        "X1 NUL in a value",
        webhook(alert(labels={"a": "x\0y"})),
        alert={"labels": {"a": "x\ufffdy"}},
    ),
    row(
        "X1 NUL in a name", webhook(alert(labels={"a\0": "x"})), alert={"labels": {"a\ufffd": "x"}}
    ),
    row(
        "X1 NUL in an annotation",
        webhook(alert(annotations={"summary": "x\0y"})),
        alert={"title": "x\ufffdy", "annotations": {"summary": "x\ufffdy"}},
    ),
    row("X1 NUL around", webhook(groupKey="\0", receiver="\0", groupLabels={"a\0": "\0"})),
    row(
        "X1 NUL in the fingerprint",
        webhook(alert(fingerprint="a\0")),
        alert={"fingerprint": "a\ufffd"},
    ),
    row("X1 NUL in the link", linked("http://x/\0"), alert={"generator_url": "http://x/\ufffd"}),
    row(
        "X1 NUL, no fingerprint",
        webhook(alert(labels={"a": "x\0y"}, fingerprint=...)),
        alert={"fingerprint": of_labels({"a": "x\0y"})},
    ),
    row("X1 NUL bare", with_bytes("disk", b"\x00"), alert={"title": "The \ufffd is full"}),
    row(
        "X2 half a pair in a value",
        webhook(alert(labels={"a": "x\ud800y"})),
        alert={"labels": {"a": "x\ufffdy"}},
    ),
    row(
        "X2 half a pair in a name",
        webhook(alert(labels={"a\udfff": "x"})),
        alert={"labels": {"a\ufffd": "x"}},
    ),
    row("X2 half a pair around", webhook(groupKey="\ud800", groupLabels={"\ud800": "\udfff"})),
    row(
        "X2 half a pair in the fingerprint",
        webhook(alert(fingerprint="a\ud800")),
        alert={"fingerprint": "a\ufffd"},
    ),
    row(
        "X3 pairs, directions, marks",
        webhook(alert(annotations={"summary": ODD})),
        alert={"annotations": {"summary": ODD}},
    ),
    row(
        "X3 half a megabyte of marks, cut by code points",
        webhook(alert(labels={"a": "e" + "\u0301" * 250_000})),
        alert={"labels": {"a": "e" + "\u0301" * 4094 + "…"}},
    ),
    row(
        "X4 an annotation of 5 MB",
        webhook(alert(annotations={"a": "x" * 5_000_000})),
        alert={"annotations": {"a": "x" * 32_767 + "…"}},
    ),
    refused("X6 10 000 bad alerts", 400, webhook(*[BAD] * 10_000), says="10000", rejected=20),
    row("X7 one good among them", webhook(*[BAD] * 9_999, alert()), alerts=1, rejected=20),
    refused("X8 20 001 alerts", 413, webhook(*[{"labels": {"a": "b"}}] * 20_001), says="20000"),
    row("X9 a script", linked("javascript:x"), alert={"generator_url": "javascript:x"}),
    row("X9 a relative link", linked("?orgId=1"), alert={"generator_url": "?orgId=1"}),
    row("X9 100 KB", linked("u" * 100_000), alert={"generator_url": "u" * 4095 + "…"}),
    row("X9 with credentials", linked("http://u:p@x/"), alert={"generator_url": "http://u:p@x/"}),
    row("X10 an embedded image of 2 MB", webhook(alert(embeddedImage="A" * 2_000_000))),
    row(
        "X11 a long group's key and fingerprint",
        webhook(alert(fingerprint="f" * 100_000), groupKey="k" * 100_000),
    ),
)
async def test_any_text_is_stored_or_shortened(sender, stage, row):
    await row.holds(sender, stage)


@pytest.fixture
async def stage(transactions, clock) -> Stage:
    """A service whose alerts share an incident: opening thousands would be another test."""
    labels = {"grouping": "labels", "grouping_labels": ["cluster"]}
    return await Stage(transactions, clock).set_up(service=labels)


async def test_x5_ten_thousand_alerts_are_stored(sender, stage):
    alerts = [
        alert(labels=LABELS | {"alertname": f"A{n}", "pad": "x" * 100}, fingerprint=f"f{n}")
        for n in range(10_000)
    ]
    content = webhook(*alerts)
    assert len(content) > 3_000_000
    began_s = monotonic_s()

    answer = await sender.post(PATH, content=content)

    assert answer.status_code == 202
    assert monotonic_s() - began_s < 10  # about 2 s when nobody else is at work
    incident = await stage.incident()
    assert (answer.json()["accepted"], incident.alert_count) == (10_000, 10_000)
