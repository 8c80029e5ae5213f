from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from incident_service.notifications.backoff import (
    FIRST_DELAY,
    GIVE_UP_AFTER,
    LONGEST_DELAY,
    LONGEST_RETRY_AFTER,
    GiveUp,
    TryAgain,
    after_failure,
    growing,
)

attempts = st.integers(1, 10_000)
jitters = st.floats(0, 1)
ages = st.timedeltas(timedelta(0), timedelta(days=2))
wishes = st.none() | st.timedeltas(timedelta(0), timedelta(days=30))


def life(jitter: float, first_delay: timedelta = timedelta(0)) -> list[timedelta]:
    """Return the delays of a page that never gets through."""
    age = first_delay
    delays: list[timedelta] = []
    while True:
        match after_failure(attempts=len(delays) + 1, age=age, jitter=jitter):
            case TryAgain(delay):
                delays.append(delay)
                age += delay
            case GiveUp():
                return delays


@given(attempts, jitters)
def test_a_delay_lies_between_three_quarters_of_the_first_and_the_cap(number, jitter):
    assert FIRST_DELAY * 0.75 <= growing(number, jitter) <= LONGEST_DELAY


@given(attempts, jitters)
def test_delays_never_shrink_from_attempt_to_attempt(number, jitter):
    assert growing(number, jitter) <= growing(number + 1, jitter)


@given(attempts, ages, jitters, wishes)
def test_a_permanent_failure_is_never_tried_again(number, age, jitter, wish):
    decision = after_failure(
        attempts=number, age=age, jitter=jitter, permanent=True, retry_after=wish
    )

    assert isinstance(decision, GiveUp)


@given(attempts, ages, jitters, wishes)
def test_nothing_is_tried_again_after_an_hour(number, age, jitter, wish):
    decision = after_failure(attempts=number, age=age, jitter=jitter, retry_after=wish)

    assert isinstance(decision, GiveUp) or age + decision.delay <= GIVE_UP_AFTER


@given(attempts, jitters, st.timedeltas(timedelta(0), LONGEST_RETRY_AFTER))
def test_a_receiver_that_asks_for_time_gets_it(number, jitter, wish):
    decision = after_failure(attempts=number, age=timedelta(0), jitter=jitter, retry_after=wish)

    assert isinstance(decision, TryAgain)
    assert decision.delay >= wish


@given(attempts, jitters, wishes)
def test_a_receiver_cannot_put_a_page_off_for_longer_than_ten_minutes(number, jitter, wish):
    decision = after_failure(attempts=number, age=timedelta(0), jitter=jitter, retry_after=wish)

    assert isinstance(decision, TryAgain)
    assert decision.delay <= LONGEST_RETRY_AFTER


@given(jitters)
def test_a_page_is_tried_for_most_of_an_hour(jitter):
    delays = life(jitter)

    assert GIVE_UP_AFTER - LONGEST_DELAY <= sum(delays, timedelta(0)) <= GIVE_UP_AFTER
    assert 25 < len(delays) < 50
