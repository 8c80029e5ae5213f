"""Cursors: each belongs to one list, and no other text passes for one."""

import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from incident_service.web.lists.cursors import (
    CursorOfAnotherList,
    CursorUnreadable,
    decode,
    digest_of,
    encode,
)

LIST = digest_of("/v1/incidents", [("status", "OPEN"), ("status", "RESOLVED")])
PLACES = st.binary(max_size=40)
ALPHABET = string.ascii_letters + string.digits + "-_+/= "


@given(PLACES)
def test_a_cursor_leads_back_to_its_place(place):
    assert decode(LIST, encode(LIST, place)) == place


@given(PLACES)
def test_a_cursor_may_stand_in_an_address_as_it_is(place):
    assert set(encode(LIST, place)) <= set(string.ascii_letters + string.digits + "-_")


@given(PLACES, st.data())
def test_a_cursor_with_another_character_is_refused(place, data):
    cursor = encode(LIST, place)
    at = data.draw(st.integers(0, len(cursor) - 1))
    changed = cursor[:at] + data.draw(st.sampled_from(ALPHABET)) + cursor[at + 1 :]
    assume(changed != cursor)

    with pytest.raises(CursorUnreadable):
        decode(LIST, changed)


@given(PLACES, st.data())
def test_a_cursor_that_lacks_something_is_refused(place, data):
    cursor = encode(LIST, place)
    cut = data.draw(st.integers(0, len(cursor) - 1))

    with pytest.raises(CursorUnreadable):
        decode(LIST, cursor[:cut])


@given(PLACES, st.text(ALPHABET, min_size=1, max_size=4))
def test_a_cursor_with_more_at_its_end_is_refused(place, more):
    with pytest.raises(CursorUnreadable):
        decode(LIST, encode(LIST, place) + more)


@given(st.text(max_size=80) | st.text(ALPHABET, max_size=80))
def test_a_made_up_cursor_is_refused(text):
    with pytest.raises(CursorUnreadable):
        decode(LIST, text)


@pytest.mark.parametrize(
    "other",
    [
        digest_of("/v1/alerts", [("status", "OPEN"), ("status", "RESOLVED")]),
        digest_of("/v1/incidents", [("status", "OPEN")]),
        digest_of("/v1/incidents", [("status", "OPEN"), ("priority", "RESOLVED")]),
        digest_of("/v1/incidents", [("status", "OPEN,RESOLVED")]),
        digest_of("/v1/incidents", []),
    ],
)
@given(PLACES)
def test_a_cursor_of_another_list_is_refused(other, place):
    with pytest.raises(CursorOfAnotherList):
        decode(LIST, encode(other, place))


def test_the_order_of_filters_and_the_size_of_pages_make_no_other_list():
    parameters = [("limit", "2"), ("status", "RESOLVED"), ("cursor", "…"), ("status", "OPEN")]

    assert digest_of("/v1/incidents", parameters) == LIST
