"""E: what stands around the alerts."""

import json

from structlog.testing import capture_logs
from tests.alerts.vectors.table import PATH, alert, refused, row, table, webhook

NONE = {"alerts": 0}
BARE = {"status": ..., "endsAt": ...}
RESOLVED = {"status": "resolved"}
FIRING = {"status": "firing"}


@table(
    refused("E1 nothing", 400, b"{}", says="alerts"),
    row("E2 no alerts", webhook(alerts=[]), **NONE),
    row("E3 null", webhook(alerts=None), **NONE),
    refused("E4 an object", 400, webhook(alerts={}), says="alerts"),
    refused("E4 a text", 400, webhook(alerts="x"), says="alerts"),
    row("E5 one good alert among bad ones", webhook(None, 5, "x", alert()), alerts=1, rejected=3),
    row("E6 version 3", webhook(version="3")),
    row("E6 version 1", webhook(version="1")),
    row("E6 a number", webhook(version=4)),
    row("E6 no version", webhook(version=...)),
    # The group's key is not stored: it changes with every reload, and groupLabels say more.
    row("E7 a number as the group's key", webhook(groupKey=9031173524460015)),
    row("E7 a number above 2 to the 53", webhook(groupKey=15774225474610141283)),
    row("E7 no group's key", webhook(groupKey=...)),
    row("E7 a long one", webhook(groupKey="k" * 100_000)),
    row("E7 one with a time in it", webhook(groupKey="{}:2023-01-01 00:00:00 UTC m=+42208.25")),
    row("E8 null and a list as labels", webhook(commonLabels=None, groupLabels=[])),
    row("E9 no status around", webhook(status=...)),
    row("E9 the alert fires", webhook(status="resolved"), alert=FIRING),
    row("E9 the alert does not", webhook(alert(status="resolved")), incidents=0, alert=RESOLVED),
    row("E9 only around", webhook(alert(**BARE), status="resolved"), incidents=0, alert=RESOLVED),
    row("E9 nowhere", webhook(alert(**BARE), status=...), alert=FIRING),
    # An end says nothing without a word: the pushes of Prometheus carry one in the future, and
    # clocks differ. A page too many is better than one too few.
    row(
        "E9 nowhere, with an end in the past",
        webhook(alert(status=..., endsAt="2026-11-02T11:59:30Z"), status=...),
        alert=FIRING,
    ),
    row(
        "E10 unknown fields",
        webhook(
            alert(values={"A": 1}, imageURL="x", orgId=1),
            numFiring=1,
            amixr_demo=True,
            appVersion="12",
            notification_reason="new thing",
        ),
    ),
    refused(
        "E13 a message for a chat", 400, b'{"text": "it broke"}', says="Alertmanager's webhook"
    ),
    refused("E13 any other JSON", 400, b'{"event": {"id": 1}}', says="Alertmanager's webhook"),
    row("E14 an escaped receiver", webhook(receiver="web\\.hook")),
)
async def test_an_envelope_of_any_version_is_opened(sender, stage, row):
    await row.holds(sender, stage)


async def test_e5_the_answer_says_which_were_bad(sender):
    answer = await sender.post(PATH, content=webhook(None, 5, "x", alert()))

    assert (answer.json()["accepted"], answer.json()["rejected"]) == (1, 3)
    assert [error["index"] for error in answer.json()["errors"]] == [0, 1, 2]


async def test_e11_alerts_that_were_left_out_are_noted_and_nothing_follows(sender, stage):
    others = [alert(labels={"alertname": name}, fingerprint=name) for name in ("A", "B", "C")]
    await sender.post(PATH, content=webhook(*others))

    with capture_logs() as logs:
        answer = await sender.post(PATH, content=webhook(others[0], truncatedAlerts=37))

    assert answer.status_code == 202
    told = [line for line in logs if line["event"] != "http.request"]
    assert [(line["event"], line["truncated"]) for line in told] == [("ingest.incomplete", 37)]
    assert [incident.status for incident in await stage.incidents()] == ["OPEN"] * 3


async def test_e7_a_key_that_changes_makes_no_other_incident(sender, stage):
    for key in ("{}:{}", json.dumps({"a": 1}), "{}/{team='x'}:{}"):
        await sender.post(PATH, content=webhook(groupKey=key))

    (stored,) = await stage.alerts()
    assert stored.received_count == 3
