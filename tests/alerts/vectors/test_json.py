"""J: what is JSON enough is read; what is not is refused in words."""

import json

from tests.alerts.vectors.table import GOOD, alert, refused, row, table, webhook, with_bytes

from incident_service.core.clock import monotonic_s

DEEP = 100_000
FLOOD = {f"l{number}": "" for number in range(100_000)}
NASTY = "{0.__class__} %s {{ 7*7 }} ${jndi:ldap://x} '; DROP TABLE alerts; -- <script>alert(1)"


@table(
    refused("J1 an opened brace", 400, b"{"),
    refused("J2 trailing garbage", 400, GOOD + b" trailing"),
    refused("J3 null", 400, b"null", says="object"),
    refused("J3 a text", 400, b'"x"', says="object"),
    refused("J3 a number", 400, b"5", says="object"),
    refused("J3 a boolean", 400, b"true", says="object"),
    row("J4 a list of alerts, as Prometheus pushes", json.dumps([alert()]).encode()),
    refused("J4 a list of something else", 400, b"[5]"),
    refused("J5 one document a line", 400, GOOD + b"\n" + GOOD),
    row("J6 a byte order mark", b"\xef\xbb\xbf" + GOOD),
    refused("J7 UTF-16", 400, GOOD.decode().encode("utf-16")),
    refused("J7 UTF-16 without its mark", 400, GOOD.decode().encode("utf-16-be")),
    row(
        "J8 Latin-1 in a value",
        with_bytes("The disk", b"caf\xe9"),
        alert={"title": "caf\ufffd is full"},
    ),
    row("J9 NaN", with_bytes('"version"', '"values": {"A": NaN}, "version"')),
    row("J9 Infinity", with_bytes('"version"', '"values": {"A": -Infinity}, "version"')),
    row("J9 1e999", with_bytes('"version"', '"values": {"A": 1e999}, "version"')),
    # A label that is no number either: null, so there is no such label.
    row(
        "J9 NaN as a label",
        with_bytes('"severity": "critical"', '"load": NaN'),
        alert={"labels": {"alertname": "DiskFull"}},
    ),
    row("J11 nested 200 deep beside the alerts", webhook(extra=json.loads("[" * 200 + "]" * 200))),
    refused("J11 nested 300 deep", 400, with_bytes('"4"', "[" * 300 + "]" * 300), says="nested"),
    row("J12 an integer of 5000 digits", with_bytes('"4"', "9" * 5000)),
    row("J12 2 to the 70 as a count", webhook(truncatedAlerts=2**70)),
    row("J12 2 to the 70 as a label", webhook(alert(labels={"n": 2**70}))),
    row(
        "J13 of a repeated key the last one counts",
        with_bytes(
            '"status": "firing", "labels"', '"status": "firing", "status": "resolved", "labels"'
        ),
        incidents=0,
        alert={"status": "resolved"},
    ),
    # Kept, and not put aside: an alert with some of its labels beats none. A million take ten
    # times as long as these; the thread that hashes them lets others go on.
    row(
        "J14 a flood of labels",
        webhook(alert(labels=FLOOD, fingerprint=...)),
        alert={"severity": None},
    ),
    row(
        "J15 names that differ in case",
        webhook(alert(labels={"severity": "warning", "Severity": "critical"})),
        alert={"labels": {"severity": "warning", "Severity": "critical"}, "severity": "warning"},
    ),
    row(
        "J16 texts that programs like to run",
        webhook(alert(labels={"a": NASTY}, annotations={"summary": NASTY})),
        alert={"labels": {"a": NASTY}, "title": NASTY},
    ),
    row(
        "J16 names that programs like to run",
        webhook(alert(labels={"__proto__": "x", "constructor": "y", "{0.__class__}": "z"})),
        alert={"labels": {"__proto__": "x", "constructor": "y", "{0.__class__}": "z"}},
    ),
)
async def test_what_leaves_its_meaning_clear_is_stored(sender, stage, row):
    await row.holds(sender, stage)


@table(
    refused("J10 lists, 100 000 deep", 400, b"[" * DEEP, says="nested"),
    refused("J10 objects, 100 000 deep", 400, b'{"a":' * DEEP, says="nested"),
    refused("J10 closed ones", 400, b"[" * DEEP + b"]" * DEEP, says="nested"),
)
async def test_what_is_nested_without_end_is_refused_at_once(sender, stage, row):
    began_s = monotonic_s()

    await row.holds(sender, stage)

    assert monotonic_s() - began_s < 0.5  # usually a tenth of it


async def test_j14_of_a_flood_of_labels_as_many_are_kept_as_may_be(sender, stage):
    await row("J14", webhook(alert(labels=FLOOD))).holds(sender, stage)

    (stored,) = await stage.alerts()
    assert len(stored.labels) == 64
