"""Places in sorted lists, and what Python decides of them."""

import math
from datetime import UTC
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_service.web.lists import cursors
from incident_service.web.lists.cursors import CursorUnreadable
from incident_service.web.lists.keyset import Place, decide, next_after, read_place
from incident_service.web.lists.pagination import PageQuery

LIST = cursors.digest_of("/v1/incidents", [])
PLACES = st.builds(
    Place,
    st.integers(0, 100),
    st.datetimes(timezones=st.just(UTC)),
    st.uuids(),
)


def page(after: bytes | None = None, told: list[str] | None = None) -> PageQuery:
    return PageQuery(50, LIST, after, (told if told is not None else []).append)


@given(PLACES)
def test_a_cursor_leads_back_to_its_place(place):
    told: list[str] = []

    cursor = next_after(page(told=told), place)

    assert told == [cursor]
    assert read_place(page(cursors.decode(LIST, cursor))) == place


@given(st.binary(max_size=40))
def test_a_cursor_whose_sum_was_made_up_too_leads_to_a_place_or_is_refused(after):
    try:
        place = read_place(page(after))
    except CursorUnreadable:
        return

    assert isinstance(place, Place)


def test_a_place_beyond_all_time_is_refused():
    with pytest.raises(CursorUnreadable):
        read_place(page(b"\x00\x00" + b"\x7f" * 24))


def test_what_takes_long_to_decide_ends_a_page_early():
    rows: list[Any] = [SimpleNamespace(number=number) for number in range(1_000)]

    decided = decide(rows, lambda row: row.number == 0, until_s=0.0)

    assert decided == [True]


def test_every_row_is_decided_on_when_there_is_time():
    rows: list[Any] = [SimpleNamespace(number=number) for number in range(1_000)]

    decided = decide(rows, lambda row: row.number % 2 == 0, until_s=math.inf)

    assert decided == [True, False] * 500
