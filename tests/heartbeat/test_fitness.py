"""Fit means: a canary is fresh, and nothing waits longer than it ever should."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from incident_service.heartbeat.fitness import (
    FRESH,
    OVERDUE,
    Call,
    Lateness,
    Used,
    Withhold,
    decide,
    why_overdue,
    why_stale,
)

DURATIONS = st.timedeltas(timedelta(0), timedelta(hours=2))


@given(timer=DURATIONS, page=DURATIONS)
def test_overdue_is_whatever_waits_longer_than_half_a_minute(timer, page):
    late = Lateness(timer, page)

    assert (why_overdue(late) is not None) == (max(timer, page) > OVERDUE)


@given(age=st.none() | DURATIONS)
def test_a_canary_is_fresh_for_three_minutes_and_a_missing_one_never(age):
    assert (why_stale(age) is None) == (age is not None and age <= FRESH)


def test_the_reason_says_which_and_how_late():
    late = Lateness(timer=timedelta(seconds=5), page=timedelta(seconds=90))

    assert why_overdue(late) == "A page is 90 s late: is a worker running?"


@given(age=st.none() | DURATIONS, timer=DURATIONS, page=DURATIONS, used=st.booleans())
def test_the_switch_is_called_only_when_fit_and_once_a_canary(age, timer, page, used):
    late = Lateness(timer, page)
    fit = why_stale(age) is None and why_overdue(late) is None

    match decide(age, late, used=used):
        case Call():
            assert fit
            assert not used
        case Used():
            assert fit
            assert used
        case Withhold(reason):
            assert not fit
            assert reason
