"""What an alert says about its own history, and what it does to its incident."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_service.alerts.dedup import (
    HOLD,
    Begin,
    End,
    EndAgain,
    Episode,
    History,
    Hold,
    Join,
    JoinAndRestart,
    JoinAndTell,
    JoinAndWake,
    Known,
    Late,
    Open,
    Reopen,
    Repeat,
    Stale,
    StoreEnd,
    believes_again,
    decide_firing,
    decide_resolved,
    meet,
    plausible_end,
)
from incident_service.catalog.priority import Priority
from incident_service.incidents.lifecycle import Status

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
EARLIER = NOW - timedelta(hours=2)
START = NOW - timedelta(hours=1)
MINUTE = timedelta(minutes=1)
WINDOW = timedelta(minutes=15)

FIRING = Episode(START, START, is_firing=True)
ENDED = Episode(START, START, is_firing=False, resolved_at=NOW - MINUTE)
ONLY_RESOLVED = Episode(START, START, is_firing=False, fired=False, resolved_at=NOW - MINUTE)


def history(episode: Episode) -> History:
    return History(
        firing=episode if episode.is_firing else None, same_start=episode, newest=episode
    )


def test_the_first_firing_begins_an_episode():
    assert decide_firing(START, History(), NOW) == Begin(START)


def test_a_firing_without_a_start_begins_now_and_is_marked():
    assert decide_firing(None, History(), NOW) == Begin(NOW, estimated=True)


def test_a_firing_without_a_start_belongs_to_what_fires():
    assert decide_firing(None, History(firing=FIRING, newest=FIRING), NOW) == Repeat(FIRING)


def test_a_resend_repeats():
    assert decide_firing(START, history(FIRING), NOW) == Repeat(FIRING)


def test_a_firing_after_its_resolve_is_held_for_a_minute_from_that_resolve():
    assert decide_firing(START, history(ENDED), NOW) == Hold(ENDED, NOW - MINUTE + HOLD)


def test_a_firing_whose_resolve_came_first_is_stale():
    assert decide_firing(START, history(ONLY_RESOLVED), NOW) == Stale(ONLY_RESOLVED)


def test_a_newer_start_ends_the_older_episode():
    decision = decide_firing(NOW, History(firing=FIRING, newest=FIRING), NOW)

    assert decision == Begin(NOW, supersedes=FIRING)


def test_an_older_start_is_stored_as_ended():
    decision = decide_firing(EARLIER, History(firing=FIRING, newest=FIRING), NOW)

    assert decision == Late(ended_at=START)


def test_a_start_in_the_future_does_not_make_later_alerts_late():
    future = Episode(NOW + timedelta(days=365), EARLIER, is_firing=False, resolved_at=START)

    assert isinstance(decide_firing(START, History(newest=future), NOW), Begin)


def test_a_resolve_ends_what_fires():
    assert decide_resolved(START, NOW, history(FIRING), NOW) == End(FIRING, NOW)


def test_a_resolve_with_a_rewritten_start_ends_what_fires():
    decision = decide_resolved(NOW, NOW, History(firing=FIRING, newest=FIRING), NOW)

    assert decision == End(FIRING, NOW)


def test_a_resolve_older_than_what_fires_does_not_end_it():
    decision = decide_resolved(EARLIER, START - MINUTE, History(firing=FIRING), NOW)

    assert decision == StoreEnd(EARLIER, START - MINUTE)


def test_a_second_resolve_clears_the_hold():
    assert decide_resolved(START, NOW, history(ENDED), NOW) == EndAgain(ENDED, NOW)


def test_a_resolve_of_a_start_never_seen_clears_the_hold_and_is_stored():
    held = replace(ENDED, refire_at=NOW + MINUTE)

    decision = decide_resolved(START + MINUTE, NOW, History(newest=held), NOW)

    assert decision == EndAgain(held, NOW, also_store=True)


def test_a_resolve_of_something_unknown_is_stored():
    assert decide_resolved(START, NOW, History(), NOW) == StoreEnd(START, NOW)


instants = st.integers(-(10**7), 10**7).map(lambda seconds: NOW + timedelta(seconds=seconds))
episodes = st.builds(
    Episode,
    starts_at=instants,
    first_received_at=instants,
    is_firing=st.booleans(),
    fired=st.booleans(),
    resolved_at=instants,
)


@given(st.none() | instants, st.none() | episodes, instants)
def test_an_alert_never_begins_while_the_same_episode_is_known(starts_at, known, now):
    same = known if known and known.starts_at == starts_at else None
    decision = decide_firing(starts_at, History(same_start=same), now)

    assert isinstance(decision, Begin) == (same is None)


@given(instants, instants)
def test_a_resolve_never_makes_anything_fire(starts_at, ends_at):
    decision = decide_resolved(starts_at, ends_at, History(), NOW)

    assert isinstance(decision, StoreEnd)


@pytest.mark.parametrize(
    ("ends_at", "expected"),
    [(NOW - MINUTE, NOW - MINUTE), (EARLIER, START), (NOW + MINUTE, NOW)],
    ids=["in between", "before the start", "ahead of us"],
)
def test_an_end_lies_between_the_start_and_now(ends_at, expected):
    assert plausible_end(START, ends_at, NOW) == expected


# --- the incident it meets -----------------------------------------------------------------

OPEN = Known(Status.OPEN, Priority.MEDIUM)
TAKEN = Known(
    Status.ACKNOWLEDGED,
    Priority.MEDIUM,
    acknowledged_at=NOW - 10 * MINUTE,
    acknowledged_priority=Priority.MEDIUM,
    assignee_told_at=NOW - MINUTE,
)


def resolved(ago: timedelta) -> Known:
    return Known(Status.RESOLVED, Priority.MEDIUM, resolved_at=NOW - ago)


def changed(known: Known, **changes: object) -> Known:
    return Known(**{name: getattr(known, name) for name in Known.__slots__} | changes)


@pytest.mark.parametrize(
    ("known", "priority", "expected"),
    [
        (None, Priority.MEDIUM, Open()),
        (Known(Status.CLOSED, Priority.MEDIUM), Priority.MEDIUM, Open()),
        (resolved(16 * MINUTE), Priority.MEDIUM, Open()),
        (resolved(15 * MINUTE), Priority.MEDIUM, Reopen()),
        (OPEN, Priority.CRITICAL, Join()),
        (changed(OPEN, snoozed_until=NOW + MINUTE), Priority.MEDIUM, Join()),
        (changed(OPEN, snoozed_until=NOW + MINUTE), Priority.HIGH, JoinAndWake()),
        (changed(OPEN, snoozed_until=NOW), Priority.HIGH, Join()),
        (TAKEN, Priority.MEDIUM, Join()),
        (changed(TAKEN, assignee_told_at=None), Priority.MEDIUM, JoinAndTell()),
        (changed(TAKEN, assignee_told_at=NOW - 5 * MINUTE), Priority.LOW, JoinAndTell()),
    ],
)
def test_a_new_episode_meets_its_incident(known, priority, expected):
    assert meet(known, priority, WINDOW, NOW) == expected


@pytest.mark.parametrize(
    ("known", "priority"),
    [
        (changed(OPEN, is_exhausted=True), Priority.MEDIUM),
        (TAKEN, Priority.HIGH),
        (changed(TAKEN, acknowledged_at=NOW - 61 * MINUTE), Priority.INFO),
    ],
)
def test_some_meetings_begin_the_climb_again(known, priority):
    assert isinstance(meet(known, priority, WINDOW, NOW), JoinAndRestart)


priorities = st.sampled_from(Priority)
knowns = st.builds(
    Known,
    status=st.sampled_from(Status),
    priority=priorities,
    is_exhausted=st.booleans(),
    snoozed_until=st.none() | instants,
    acknowledged_at=st.none() | instants,
    acknowledged_priority=st.none() | priorities,
    assignee_told_at=st.none() | instants,
    resolved_at=st.none() | instants,
)


@given(knowns, priorities, instants)
def test_an_active_incident_is_never_doubled(known, priority, now):
    meeting = meet(known, priority, WINDOW, now)

    assert isinstance(meeting, Open | Reopen) == (not known.status.is_active)


@pytest.mark.parametrize(
    ("ago", "until_clear", "expected"),
    [(5 * MINUTE, False, False), (6 * MINUTE, False, True), (600 * MINUTE, True, False)],
)
def test_a_manual_resolve_is_believed_for_five_minutes_or_until_clear(ago, until_clear, expected):
    known = changed(resolved(ago), resolved_until_clear=until_clear)

    assert believes_again(known, NOW) is expected
