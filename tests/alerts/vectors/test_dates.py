"""D: when an alert began and ended. A date that says nothing is replaced, never refused."""

from datetime import timedelta

import pytest
from tests.alerts.vectors.table import NOW, PATH, STARTED, alert, row, table, webhook

UNKNOWN = {"starts_at": NOW, "starts_at_estimated": True}
KNOWN = {"starts_at": STARTED, "starts_at_estimated": False}


def begun(value: object) -> bytes:
    return webhook(alert(startsAt=value))


def ended(value: object, **changes: object) -> bytes:
    return webhook(alert(status="resolved", endsAt=value, **changes))


def ends(at: object) -> dict[str, object]:
    return {"status": "resolved", "ends_at": at}


@table(
    row("D1 an end in year 1", webhook(), alert={"status": "firing", "ends_at": None}),
    row("D2 a start in year 1", begun("0001-01-01T00:00:00Z"), alert=UNKNOWN),
    row("D2 in a time zone", begun("0001-01-01T00:00:00+02:00"), alert=UNKNOWN),
    row("D2 in another", begun("0001-01-01T08:05:43+08:05"), alert=UNKNOWN),
    row("D3 missing", begun(...), alert=UNKNOWN),
    row("D3 null", begun(None), alert=UNKNOWN),
    row("D3 empty", begun(""), alert=UNKNOWN),
    row("D3 a word", begun("soon"), alert=UNKNOWN),
    row("D3 a small number", begun(5), alert=UNKNOWN),
    row("D3 a list", begun([]), alert=UNKNOWN),
    row("D3 a boolean", begun(True), alert=UNKNOWN),
    row("D3 a megabyte", begun("2" * 1_000_000), alert=UNKNOWN),
    row("D4 no digits below a second", begun("2026-11-02T11:59:00Z"), alert=KNOWN),
    row("D4 nine, cut", begun("2026-11-02T11:59:00.000000999Z"), alert=KNOWN),
    row("D5 east", begun("2026-11-02T19:59:00+08:00"), alert=KNOWN),
    row("D5 west", begun("2026-11-02T09:59:00-02:00"), alert=KNOWN),
    row("D5 without a colon", begun("2026-11-02T11:59:00+0000"), alert=KNOWN),
    row("D5 in lower case", begun("2026-11-02t11:59:00z"), alert=KNOWN),
    row("D5 a space", begun("2026-11-02 11:59:00Z"), alert=KNOWN),
    row("D6 no time zone", begun("2026-11-02 11:59:00"), alert=KNOWN),
    row("D6 a date alone", begun("2026-11-02"), alert={"starts_at": NOW - timedelta(hours=12)}),
    row("D7 seconds", begun(1793620740), alert=KNOWN),
    row("D7 milliseconds", begun(1793620740000), alert=KNOWN),
    row("D7 seconds as text", begun("1793620740"), alert=KNOWN),
    row("D7 milliseconds as text", begun("1793620740000"), alert=KNOWN),
    row("D7 a fraction", begun(1793620740.0), alert=KNOWN),
    # Nothing that far away is meant, not even in part: it is as good as missing.
    row("D8 the last year", begun("9999-12-31T23:00:00-05:00"), alert=UNKNOWN),
    row("D8 year 10000", begun("10000-01-01T00:00:00Z"), alert=UNKNOWN),
    row("D8 the last year of PostgreSQL", begun("294277-01-01T00:00:00Z"), alert=UNKNOWN),
    row("D8 infinity", begun("infinity"), alert=UNKNOWN),
    row(
        "D8 an end in the last year",
        ended("9999-12-31T23:00:00-05:00"),
        incidents=0,
        alert=ends(NOW),
    ),
    # Kept as it is; for comparing it counts from when it was heard of.
    row(
        "D9 an hour ahead",
        begun("2026-11-02T13:00:00Z"),
        alert={"starts_at": NOW + timedelta(hours=1), "starts_at_estimated": False},
    ),
    # The end of a firing alert is not kept: webhooks have none, and an alert pushed by Prometheus
    # says only how long it may be believed, which stale_after_minutes says here.
    row(
        "D10 fires, ends later",
        webhook(alert(endsAt="2026-11-02T12:05:00Z")),
        alert={"ends_at": None},
    ),
    row(
        "D11 fires, ended",
        webhook(alert(endsAt="2026-11-02T11:59:30Z")),
        alert={"status": "firing"},
    ),
    row("D12 an end in year 1", ended("0001-01-01T00:00:00Z"), incidents=0, alert=ends(NOW)),
    row("D12 no end", ended(...), incidents=0, alert=ends(NOW)),
    row("D12 an end ahead", ended("2026-11-02T12:30:00Z"), incidents=0, alert=ends(NOW)),
    row(
        "D13 an end before the start",
        ended("2026-11-02T11:00:00Z"),
        incidents=0,
        alert=ends(STARTED),
    ),
    row("D14 a leap second", begun("2016-12-31T23:59:60Z"), alert=UNKNOWN),
    row("D14 24:00", begun("2026-11-01T24:00:00Z"), alert=UNKNOWN),
    row("D14 the 30th of February", begun("2026-02-30T00:00:00Z"), alert=UNKNOWN),
    row("D15 1970", begun("1970-01-01T00:00:00Z"), alert=UNKNOWN),
    row("D15 before 1970", begun(-1), alert=UNKNOWN),
    row("D15 1999", begun("1999-12-31T23:59:59Z"), alert=UNKNOWN),
)
async def test_a_date_is_read_however_it_is_written(sender, stage, row):
    await row.holds(sender, stage)


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        ("2026-11-02T11:59:30Z", STARTED + timedelta(seconds=30)),
        ("2026-11-02T11:00:00Z", STARTED),
        ("2026-11-02T12:30:00Z", NOW),
        ("0001-01-01T00:00:00Z", NOW),
        (..., NOW),
    ],
    ids=["D12 in between", "D13 before the start", "D12 ahead", "D12 in year 1", "D12 missing"],
)
async def test_an_alert_that_fired_ends_within_reason(sender, stage, end, expected):
    await sender.post(PATH, content=webhook())
    await sender.post(PATH, content=ended(end))

    (stored,) = await stage.alerts()
    assert (stored.status, stored.ends_at) == ("resolved", expected)
    assert [incident.status for incident in await stage.incidents()] == ["RESOLVED"]


async def test_d4_the_same_instant_with_other_digits_is_the_same_alert(sender, stage):
    for start in ("11:59:00.123456Z", "11:59:00.123456789Z", "13:59:00.1234561+02:00"):
        await sender.post(PATH, content=begun(f"2026-11-02T{start}"))

    (stored,) = await stage.alerts()
    assert stored.received_count == 3
