"""What follows a failed attempt."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_service.subscriptions.persistence import (
    Decision,
    Failure,
    PassOver,
    Pause,
    Streak,
    TryAgain,
    after_failure,
)

FRESH = Streak(1, timedelta(0))
DAY = timedelta(hours=24)
failures = st.builds(
    Failure,
    error=st.just("no"),
    status=st.none() | st.integers(300, 599),
    retry_after=st.none() | st.timedeltas(timedelta(0), timedelta(days=3)),
)
streaks = st.builds(
    Streak,
    failures=st.integers(1, 10_000),
    lasted=st.timedeltas(timedelta(0), timedelta(days=9)),
)


def decide(status: int | None = None, streak: Streak = FRESH, *, attempts: int = 1) -> Decision:
    return after_failure(Failure("no", status), streak, attempts=attempts, jitter=0)


@given(failures, streaks, st.integers(1, 10_000), st.floats(0, 1))
def test_the_next_attempt_is_never_soon_and_never_far(failure, streak, attempts, jitter):
    match after_failure(failure, streak, attempts=attempts, jitter=jitter):
        case TryAgain(delay):
            assert timedelta(seconds=1.5) <= delay <= timedelta(hours=1)
            assert not (streak.lasted >= DAY and streak.failures >= 10)
        case PassOver():
            assert failure.status in {400, 413, 422}
        case Pause():
            assert failure.status == 410 or (streak.lasted >= DAY and streak.failures >= 10)


def test_410_pauses_at_the_first_attempt():
    assert isinstance(decide(410), Pause)


@pytest.mark.parametrize("status", [None, 301, 401, 404, 429, 500])
def test_what_may_change_with_the_receiver_is_tried_until_the_pause(status):
    assert isinstance(decide(status, attempts=1_000), TryAgain)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refused_body_is_tried_five_times(status):
    assert isinstance(decide(status, attempts=4), TryAgain)
    assert decide(status, attempts=5) == PassOver()


def test_a_few_failures_in_a_quiet_day_pause_nothing():
    assert isinstance(decide(500, Streak(9, DAY * 3)), TryAgain)
    assert isinstance(decide(500, Streak(10, DAY)), Pause)


def test_many_failures_in_a_short_outage_pause_nothing():
    assert isinstance(decide(500, Streak(5_000, timedelta(hours=1))), TryAgain)
