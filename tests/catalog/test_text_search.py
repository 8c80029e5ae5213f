"""The parts of a word by which the index is asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_service.catalog.text_search import INDEXED_RUN, telling_parts


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("host-4711", ["4711"]),
        ("host-4711.example:9100", ["4711", "9100"]),
        ("alert117", ["rt117"]),
        ("10.0.3.17:9100", ["10.0.3.17:9100"]),
        ("ip-10-0-3-17.ec2.internal", ["10-0-3-17.ec2"]),
        ("checkout-7d9f8b6c5-x2x4z", ["7d9f8b6c5-x2x4z"]),
    ],
)
def test_digits_tell_more_than_letters(word, parts):
    assert telling_parts(word) == parts


@pytest.mark.parametrize("word", ["KubePodCrashLooping", "web-2", "node-12.example"])
def test_without_three_in_a_row_around_digits_all_of_it_is_asked_for(word):
    assert telling_parts(word) == [word]


@given(st.text(st.characters(exclude_categories=["Cs", "Zs", "Cc"])))
def test_what_the_index_is_asked_for_is_in_the_word_and_indexed(word):
    parts = telling_parts(word)

    assert all(part in word for part in parts)
    assert parts == [word] or any(INDEXED_RUN.search(part) for part in parts)
