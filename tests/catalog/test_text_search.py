"""The parts of a word that the index is asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_service.catalog.text_search import INDEXED, parts_of


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("host-4711", ["4711", "host"]),
        ("host-4711.example:9100", ["4711", "9100", "host", "examp"]),
        ("db-primary.example:9100", ["9100", "db-", "prima", "examp"]),
        ("node-12.example", ["-12.", "node", "examp"]),
        ("alert117", ["rt117"]),
        ("10.0.3.17:9100", ["10.0.3.17:9100"]),
        ("ip-10-0-3-17.ec2.internal", ["10-0-3-17.ec2", "ip-", "inter"]),
        ("checkout-7d9f8b6c5-x2x4z", ["7d9f8b6c5-x2x4z", "check"]),
        ("web-2", ["-2", "web"]),
        ("a-1.x.10:443", ["1.x.10:443"]),
    ],
)
def test_numbers_come_first(word, parts):
    assert parts_of(word) == parts


@pytest.mark.parametrize("word", ["KubePodCrashLooping", "payments.example", "тревога"])
def test_a_word_without_digits_is_one_part(word):
    assert parts_of(word) == [word]


@given(st.text(st.characters(exclude_categories=["Cs", "Zs", "Cc"])))
def test_each_part_is_in_the_word_and_indexed(word):
    parts = parts_of(word)

    assert all(part in word for part in parts)
    assert parts == [word] or all(INDEXED.search(part) for part in parts)
