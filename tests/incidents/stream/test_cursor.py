from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_service.incidents.stream.cursor import (
    Cursor,
    LastEventIdUnreadable,
    Lost,
    Place,
    decode,
    encode,
    why_lost,
)

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)
numbers = st.integers(0, 2**63 - 1)
cursors = st.builds(
    lambda xact, position, days, seconds: Cursor(
        Place(xact, position), NOW + days * DAY + timedelta(seconds=seconds)
    ),
    numbers,
    numbers,
    st.integers(-10_000, 1_000_000),
    st.integers(0, 86_400),
)


@given(cursors)
def test_what_is_written_is_read_again(cursor):
    assert decode(encode(cursor)) == cursor


@given(cursors)
def test_an_id_is_one_word_of_ascii(cursor):
    text = encode(cursor)

    assert text.isascii()
    assert len(text.split()) == 1


@given(st.text())
def test_what_was_made_up_is_refused(text):
    with pytest.raises(LastEventIdUnreadable):
        decode(text)


@given(cursors, st.data())
def test_one_changed_character_is_refused(cursor, data):
    text = encode(cursor)
    index = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda each: each != text[index]))

    with pytest.raises(LastEventIdUnreadable):
        decode(text[:index] + other + text[index + 1 :])


@pytest.mark.parametrize(
    ("age", "kept", "lost"),
    [
        (DAY, 2 * DAY, None),
        (2 * DAY, 2 * DAY, Lost.TOO_OLD),
        (1000 * DAY, None, None),
        (timedelta(0), timedelta(seconds=1), None),
    ],
)
def test_what_may_be_deleted_meanwhile_is_lost(age, kept, lost):
    cursor = Cursor(Place(5, 5), NOW - age)

    assert why_lost(cursor, now=NOW, kept=kept, last_xact=9) == lost


def test_a_place_that_the_database_has_not_reached_is_of_another_one():
    cursor = Cursor(Place(10, 5), NOW)

    assert why_lost(cursor, now=NOW, kept=None, last_xact=9) == Lost.UNKNOWN
