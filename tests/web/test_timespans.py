"""Spans of time that are asked for."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_service.web.timespans import SpanWrong, require_span

DAY = timedelta(days=1)
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
INSTANTS = st.timedeltas(timedelta(0), 30_000 * DAY).map(lambda since: BEGINNING + since)


@given(INSTANTS, st.timedeltas(timedelta(microseconds=1), DAY))
def test_what_ends_after_it_begins_is_a_span(begins, lasts):
    require_span(begins, begins + lasts, "/query/from", longest=DAY)


@given(INSTANTS, st.timedeltas(timedelta(0), DAY))
def test_what_ends_before_it_begins_is_refused_where_it_stands(ends, lasts):
    with pytest.raises(SpanWrong) as refused:
        require_span(ends + lasts, ends, "/query/from")

    assert refused.value.pointer == "/query/from"


@given(INSTANTS, st.timedeltas(timedelta(microseconds=1), 400 * DAY))
def test_what_is_too_long_is_refused(begins, more):
    with pytest.raises(SpanWrong, match="longer than 1 days"):
        require_span(begins, begins + DAY + more, "/query/from", longest=DAY)


@given(st.none() | INSTANTS)
def test_what_is_open_at_an_end_is_not_refused(instant):
    require_span(instant, None, "")
    require_span(None, instant, "")
