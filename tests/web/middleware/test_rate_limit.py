"""How much a caller may ask for."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from incident_service.web.middleware.rate_limit import Bucket, Buckets, Rate, take

RATES = st.builds(Rate, st.floats(0.01, 1_000), st.integers(1, 500))
WAITS = st.lists(st.floats(0, 30) | st.just(0.0), max_size=200)


@given(RATES, WAITS)
def test_nobody_gets_more_than_the_burst_and_the_rate(rate, waits):
    now_s = 0.0
    bucket = Bucket(rate.burst, now_s)
    allowed = 0
    for wait_s in waits:
        now_s += wait_s
        taken = take(bucket, rate, now_s)
        bucket = taken.bucket
        allowed += taken.is_allowed

    assert allowed <= rate.burst + rate.per_second * now_s + 1e-3


@given(RATES, st.integers(1, 700))
def test_a_burst_is_allowed_and_not_one_more(rate, requests):
    bucket, allowed = Bucket(rate.burst, 0.0), 0
    for _ in range(requests):
        taken = take(bucket, rate, 0.0)
        bucket, allowed = taken.bucket, allowed + taken.is_allowed

    assert allowed == min(requests, rate.burst)


@given(RATES, st.floats(0, 1, exclude_max=True))
def test_whoever_waits_as_long_as_told_is_allowed(rate, tokens):
    refused = take(Bucket(tokens * 0.99, 0.0), rate, 0.0)

    assert not refused.is_allowed
    assert take(refused.bucket, rate, refused.wait_s).is_allowed


@given(RATES, st.floats(0, 500))
def test_after_the_time_told_the_bucket_is_full(rate, tokens):
    taken = take(Bucket(min(tokens, rate.burst), 0.0), rate, 0.0)

    later = take(taken.bucket, rate, taken.full_in_s)

    assert later.remaining == rate.burst - 1


@given(RATES, WAITS)
def test_what_remains_may_be_asked_at_once(rate, waits):
    bucket = Bucket(rate.burst, 0.0)
    now_s = 0.0
    for wait_s in waits:
        now_s += wait_s
        bucket = take(bucket, rate, now_s).bucket
    taken = take(bucket, rate, now_s)

    for _ in range(taken.remaining):
        taken = take(taken.bucket, rate, now_s)
        assert taken.is_allowed


@given(RATES, st.lists(st.floats(-10, 10), min_size=2, max_size=50))
def test_a_clock_that_stands_or_turns_back_gives_no_tokens(rate, instants):
    bucket = Bucket(0.0, 0.0)

    for before, now in pairwise(instants):
        taken = take(Bucket(bucket.tokens, before), rate, min(before, now))
        bucket = taken.bucket

    assert bucket.tokens == 0.0


@given(st.lists(st.sampled_from("abcdef"), max_size=60), st.integers(1, 4))
def test_only_so_many_are_remembered_and_the_last_ones(callers, most):
    buckets = Buckets(Rate(1, 5), most=most)
    for caller in callers:
        buckets.take(caller, 0.0)

    last = list(dict.fromkeys(reversed(callers)))[:most]
    assert len(buckets) == len(last)
    assert all(caller in buckets for caller in last)
