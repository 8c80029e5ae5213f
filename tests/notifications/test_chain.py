from datetime import UTC, datetime, time, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_service.catalog.priority import Priority
from incident_service.notifications.chain import Habits, QuietHours, Told, chain

NTFY, SMS, VOICE, MAIL = ADDRESSES = [uuid4() for _ in range(4)]
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CRITICAL = {Priority.CRITICAL: {NTFY: 0, SMS: 2, VOICE: 5}}
NIGHT = QuietHours(ZoneInfo("Europe/Berlin"), time(22), time(7))


def test_rules_say_which_address_is_told_after_how_many_minutes():
    told = chain(Habits(CRITICAL), ADDRESSES, Priority.CRITICAL, NOON, MINUTE)

    assert told == [Told(NTFY, NOON), Told(SMS, NOON + 2 * MINUTE), Told(VOICE, NOON + 5 * MINUTE)]


def test_without_rules_for_the_priority_everything_is_told_at_once():
    told = chain(Habits(CRITICAL), ADDRESSES, Priority.LOW, NOON, MINUTE)

    assert told == [Told(id_, NOON) for id_ in ADDRESSES]


def test_rules_whose_addresses_cannot_be_used_silence_nobody():
    told = chain(Habits(CRITICAL), [MAIL], Priority.CRITICAL, NOON, MINUTE)

    assert told == [Told(MAIL, NOON)]


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-11-02T20:59:59Z", None),
        ("2026-11-02T21:00:00Z", "2026-11-03T06:00:00Z"),
        ("2026-11-03T05:59:59Z", "2026-11-03T06:00:00Z"),
        ("2026-11-03T06:00:00Z", None),
        ("2026-07-02T20:00:00Z", "2026-07-03T05:00:00Z"),  # summer time
        ("2026-10-24T21:00:00Z", "2026-10-25T06:00:00Z"),  # the night is an hour longer
    ],
)
def test_quiet_hours_are_those_of_the_persons_clock(now, until):
    expected = datetime.fromisoformat(until) if until else None

    assert NIGHT.end_after(datetime.fromisoformat(now)) == expected


@pytest.mark.parametrize("priority", Priority)
def test_quiet_hours_put_off_only_what_is_not_urgent(priority):
    night = datetime(2026, 11, 2, 23, tzinfo=UTC)

    told = chain(Habits(quiet=NIGHT), [MAIL], priority, night, MINUTE)

    urgent = priority in (Priority.CRITICAL, Priority.HIGH)
    assert told[0].at == (night if urgent else datetime(2026, 11, 3, 6, tzinfo=UTC))


def test_quiet_hours_by_day_end_on_the_same_day():
    siesta = QuietHours(ZoneInfo("UTC"), time(11), time(14))

    assert siesta.end_after(NOON) == NOON + timedelta(hours=2)
    assert siesta.end_after(NOON + timedelta(hours=2)) is None


@given(
    st.dictionaries(st.sampled_from(ADDRESSES), st.integers(0, 60)),
    st.lists(st.sampled_from(ADDRESSES), unique=True, min_size=1),
    st.sampled_from(Priority),
    st.integers(0, 10**9).map(lambda seconds: NOON + timedelta(seconds=seconds)),
    st.booleans(),
)
def test_somebody_with_an_address_is_always_told_and_no_address_twice(
    delays, addresses, priority, now, is_quiet
):
    habits = Habits({priority: delays}, NIGHT if is_quiet else None)

    told = chain(habits, addresses, priority, now, MINUTE)

    ids = [each.contact_method_id for each in told]
    assert ids
    assert len(ids) == len(set(ids))
    assert set(ids) <= set(addresses)
    assert all(now <= each.at <= now + timedelta(hours=12) for each in told)
