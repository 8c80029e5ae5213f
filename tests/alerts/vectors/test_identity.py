"""F: which alerts are the same, and what an alert is called."""

import hashlib

import pytest
from tests import factories
from tests.alerts.vectors.table import PATH, alert, refused, row, table, webhook

from incident_service.alerts.fingerprint import of_labels
from incident_service.catalog.priority import Priority

LABELS = {"alertname": "DiskFull", "severity": "critical"}
COMPUTED = {"fingerprint": of_labels(LABELS)}
COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"


def named(fingerprint: object) -> bytes:
    return webhook(alert(fingerprint=fingerprint))


def labelled(labels: object, **changes: object) -> bytes:
    return webhook(alert(labels=labels, **changes))


def after(value: str) -> dict[str, object]:
    return {"labels": {"name": value}}


@table(
    row("F1 missing", named(...), alert=COMPUTED),
    row(
        "F1 as Alertmanager computes it",
        labelled({"alertname": "test-alert", "severity": "warning"}, fingerprint=...),
        alert={"fingerprint": "41f99308f4b244ea"},
    ),
    row("F2 empty", named(""), alert=COMPUTED),
    row("F2 blank", named("  "), alert=COMPUTED),
    row("F2 null", named(None), alert=COMPUTED),
    row("F2 a word", named("fingerprint"), alert={"fingerprint": "fingerprint"}),
    row("F2 in upper case", named("7235C181AE0A2582"), alert={"fingerprint": "7235C181AE0A2582"}),
    row(
        "F2 500 characters",
        named("f" * 500),
        alert={"fingerprint": hashlib.sha256(b"f" * 500).hexdigest()},
    ),
    # A number has lost its zeros, or most of its digits: what is computed is what it was.
    row("F2 a number", named(123), alert=COMPUTED),
    row("F2 a list", named(["a"]), alert=COMPUTED),
    row("F3 twice the same", webhook(alert(), alert()), alerts=1),
    row(
        "F4 firing, then resolved",
        webhook(alert(), alert(status="resolved", endsAt="2026-11-02T11:59:30Z")),
        alerts=1,
        alert={"status": "resolved"},
    ),
    row(
        "F4 resolved, then firing",
        webhook(alert(status="resolved", endsAt="2026-11-02T11:59:30Z"), alert()),
        alerts=1,
        incidents=0,
        alert={"status": "resolved"},
    ),
    row(
        "F4 resolved, then firing anew",
        webhook(
            alert(status="resolved", endsAt="2026-11-02T11:59:30Z"),
            alert(startsAt="2026-11-02T11:59:40Z"),
        ),
        alerts=2,
        incidents=1,
        alert={"status": "firing"},
    ),
    row("F5 the same labels", webhook(alert(fingerprint="a"), alert(fingerprint="b")), alerts=2),
    # Not by labels around it: they say what the batch has in common, and it was one alert.
    row("F7 no labels", labelled({}), alert={"labels": {}, "title": "The disk is full"}),
    row("F7 no name", labelled({}, annotations={}), alert={"title": "Alert 7235c181ae0a2582"}),
    row("F7 an alertname", labelled(LABELS, annotations={}), alert={"title": "DiskFull"}),
    row("F7 labels null", labelled(None), alert={"labels": {}}),
    refused("F8 no labels, no fingerprint", 400, labelled(..., fingerprint=...), rejected=1),
    refused("F8 null", 400, labelled(None, fingerprint=...), rejected=1),
    refused("F8 none left", 400, labelled({"a": None}, fingerprint=...), rejected=1),
    refused("F9 a list", 400, labelled(["a"], fingerprint=...), rejected=1),
    refused("F9 a text", 400, labelled("a", fingerprint=...), rejected=1),
    # Who they are is known all the same.
    row("F9 a list, and a fingerprint", labelled(["a"]), alert={"labels": {}}),
    row("F10 an integer", labelled({"name": 5}), alert=after("5")),
    row("F10 a float", labelled({"name": 1.0}), alert=after("1.0")),
    row("F10 a boolean", labelled({"name": True}), alert=after("true")),
    row("F10 null", labelled({"name": None, "a": "b"}), alert={"labels": {"a": "b"}}),
    row("F10 a list", labelled({"name": [1, "ü"]}), alert=after('[1,"ü"]')),
    row("F10 an object", labelled({"name": {"a": 1}}), alert=after('{"a":1}')),
    row("F11 an empty name", labelled({"": "x", "a": "b"}), alert={"labels": {"a": "b"}}),
    row(
        "F11 any other name",
        labelled({"a.b c": "1", "🚨": "2", "two\nlines": "3", "__name__": "4"}),
        alert={"labels": {"a.b c": "1", "🚨": "2", "two\nlines": "3", "__name__": "4"}},
    ),
    row(
        "F11 a name of 10 KB",
        labelled({"n" * 10_240: "v"}),
        alert={"labels": {"n" * 255 + "…": "v"}},
    ),
    row("F12 an empty value", labelled({"name": ""}), alert=after("")),
    row(
        "F13 one text written in two ways",
        webhook(
            alert(labels={"a": COMPOSED}, fingerprint=...),
            alert(labels={"a": DECOMPOSED}, fingerprint=...),
        ),
        alerts=2,
    ),
    row(
        "F15 a fingerprint that is code",
        named("'; DROP TABLE alerts; -- <script>"),
        alert={"fingerprint": "'; DROP TABLE alerts; -- <script>"},
    ),
)
async def test_an_alert_is_who_its_sender_says(sender, stage, row):
    await row.holds(sender, stage)


@pytest.mark.parametrize("word", ["", "p1", "5", "CRITICAL", "Warning", "unheard of"])
async def test_f14_the_severity_is_kept_as_it_was_written(sender, stage, word):
    await row("F14", labelled({"severity": word}), alert={"severity": word}).holds(sender, stage)


@pytest.mark.parametrize(
    ("labels", "priority"),
    [
        ({"alertname": "A"}, Priority.MEDIUM),
        ({"severity": ""}, Priority.MEDIUM),
        ({"severity": "5"}, Priority.MEDIUM),
        ({"severity": "unheard of"}, Priority.MEDIUM),
        ({"severity": "CRITICAL"}, Priority.CRITICAL),
        ({"severity": "p1"}, Priority.CRITICAL),
    ],
    ids=["missing", "empty", "a digit", "unknown", "upper case", "p1"],
)
async def test_f14_the_priority_follows_the_severity(sender, stage, labels, priority):
    await row("F14", labelled(labels), alert={"priority": priority}).holds(sender, stage)


async def test_f6_one_fingerprint_from_two_senders_is_two_alerts(sender, stage):
    async with stage.transactions.open() as tx:
        _, other_key = await factories.make_integration(tx, stage.service)

    for key in (stage.key, other_key):
        await sender.post(f"{PATH}/{key}", content=webhook())

    assert len(await stage.alerts()) == len(await stage.incidents()) == 2


async def test_f3_the_second_of_two_is_a_repeat(sender, stage):
    answer = await sender.post(PATH, content=webhook(alert(), alert()))

    assert [one["outcome"] for one in answer.json()["results"]] == ["opened", "repeated"]
    (stored,) = await stage.alerts()
    assert stored.received_count == 2
