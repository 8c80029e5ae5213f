"""The clock follows PostgreSQL's, and does not jump about with the length of round trips."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from tests.fakes import NOON

from incident_service.core.clock import DatabaseClock, utc_now
from incident_service.core.runtime import open_runtime
from incident_service.settings import Settings

SECOND = timedelta(seconds=1)
spans = st.timedeltas(min_value=timedelta(0), max_value=timedelta(seconds=5))
offsets = st.timedeltas(min_value=timedelta(days=-1), max_value=timedelta(days=1))


@given(offsets, spans, spans)
def test_one_question_gives_the_offset_to_within_its_round_trip(offset, there, back):
    clock = DatabaseClock()
    asked_at = NOON

    clock.measure(asked_at, asked_at + there + offset, asked_at + there + back)

    assert abs(clock.offset - offset) <= there + back


@given(offsets, st.lists(st.tuples(spans, spans), min_size=1))
def test_an_offset_that_is_right_is_never_changed(offset, trips):
    clock = DatabaseClock()
    clock.offset = offset

    for there, back in trips:
        clock.measure(NOON, NOON + there + offset, NOON + there + back)

    assert clock.offset == offset


async def test_the_first_transaction_already_knows_the_time(database_url, valkey):
    """A process whose own clock is seven minutes fast."""
    settings = Settings(_env_file=None, database_url=database_url, redis_url=valkey.url)
    fast = DatabaseClock(lambda: utc_now() + timedelta(minutes=7))

    async with open_runtime(settings, fast) as runtime, runtime.transactions.open() as tx:
        real = (await tx.session.execute(text("SELECT clock_timestamp()"))).scalar_one()

    assert abs(tx.now - real) < 30 * SECOND
