"""Cursors of sorted lists."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import column

from incident_service.core.ids import new_id
from incident_service.core.keyset import (
    CursorOfAnotherList,
    Order,
    Place,
    decide,
    decode,
    digest_of,
    encode,
)
from incident_service.core.pagination import CursorUnreadable

NEWEST = Order("newest", column("at"), column("id"))
URGENT = Order("urgent", column("at"), column("id"))
PLACES = st.builds(
    Place,
    st.integers(0, 100),
    st.datetimes(timezones=st.just(UTC)),
    st.uuids(),
)


@dataclass(frozen=True)
class Wanted:
    statuses: tuple[str, ...] = ()
    team_id: UUID | None = None
    is_quiet: bool | None = None


@dataclass(frozen=True)
class WantedElsewhere:
    statuses: tuple[str, ...] = ()


@given(PLACES)
def test_a_cursor_leads_back_to_its_place(place):
    digest = digest_of(NEWEST, Wanted())

    assert decode(digest, encode(digest, place)) == place


@pytest.mark.parametrize(
    "other",
    [
        digest_of(URGENT, Wanted(("OPEN", "RESOLVED"))),
        digest_of(NEWEST, WantedElsewhere(("OPEN", "RESOLVED"))),
        digest_of(NEWEST, Wanted(("OPEN",))),
        digest_of(NEWEST, Wanted(("OPEN", "RESOLVED"), team_id=UUID(int=1))),
        digest_of(NEWEST, Wanted(("OPEN", "RESOLVED"), is_quiet=False)),
    ],
)
def test_a_cursor_of_another_list_is_refused(other):
    digest = digest_of(NEWEST, Wanted(("OPEN", "RESOLVED")))
    cursor = encode(digest, Place(0, datetime(2026, 1, 1, tzinfo=UTC), new_id()))

    with pytest.raises(CursorOfAnotherList):
        decode(other, cursor)


def test_the_order_in_which_the_values_of_a_filter_come_makes_no_other_list():
    assert digest_of(NEWEST, Wanted(("A", "B"))) == digest_of(NEWEST, Wanted(("B", "A")))


@given(st.text(max_size=60))
def test_a_made_up_cursor_is_refused(cursor):
    with pytest.raises((CursorUnreadable, CursorOfAnotherList)):
        decode(digest_of(NEWEST, Wanted()), cursor)


def test_what_takes_long_to_decide_ends_a_page_early():
    rows: list[Any] = [SimpleNamespace(number=number) for number in range(1_000)]

    decided = decide(rows, lambda row: row.number == 0, until_s=0.0)

    assert decided == [True]


def test_every_row_is_decided_on_when_there_is_time():
    rows: list[Any] = [SimpleNamespace(number=number) for number in range(1_000)]

    decided = decide(rows, lambda row: row.number % 2 == 0, until_s=math.inf)

    assert decided == [True, False] * 500
