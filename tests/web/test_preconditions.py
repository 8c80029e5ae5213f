"""Entity tags and the conditions that name them, as RFC 9110 section 13 has it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_service.core.errors import PreconditionFailed
from incident_service.web.preconditions import (
    Condition,
    Tag,
    TagsUnreadable,
    read_condition,
    tag_of,
)

# Everything that a tag may hold; a state has no dash.
OPAQUE = [chr(code) for code in (0x21, *range(0x23, 0x7F), *range(0x80, 0x100))]
texts = st.text(OPAQUE, max_size=8)
states = st.text([char for char in OPAQUE if char != "-"], max_size=8)
tags = st.builds(Tag, states, st.text(OPAQUE, max_size=8))
spaces = st.text(" \t", max_size=2)
json_objects = st.dictionaries(
    st.text(max_size=5),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
        max_leaves=5,
    ),
    max_size=5,
)


@st.composite
def lists(draw: st.DrawFn) -> tuple[str, list[tuple[bool, str]]]:
    """A header with spaces and empty elements, and what it names."""
    named = draw(st.lists(st.tuples(st.booleans(), texts), min_size=1, max_size=4))
    written = [("W/" if weak else "") + f'"{text}"' for weak, text in named]
    gaps = [draw(spaces) + draw(st.sampled_from([",", ",,", ", ,"])) + draw(spaces) for _ in named]
    header = draw(st.sampled_from(["", ",", " , "])) + written[0]
    for gap, each in zip(gaps, written[1:], strict=False):
        header += gap + each
    return header + draw(st.sampled_from(["", ",", " ,"])), named


@given(lists())
def test_a_list_of_tags_is_read_as_it_was_written(given_list):
    header, named = given_list

    condition = read_condition(header)

    assert condition.named is not None
    assert [(each.is_weak, each.text) for each in condition.named] == named


@given(st.text(OPAQUE, max_size=30))
def test_what_has_no_quotes_is_refused(text):
    if text.strip() == "*":
        return

    with pytest.raises(TagsUnreadable):
        read_condition(text)


@pytest.mark.parametrize(
    "header",
    ["", ",", "17", '"17', '17"', '"a" "b"', 'w/"a"', 'W/ "a"', '*, "a"', '"a b"', '"a",b'],
)
def test_what_is_no_list_of_tags_is_refused(header):
    with pytest.raises(TagsUnreadable):
        read_condition(header)


@given(tags)
def test_who_names_the_present_tag_knows_it_and_may_change_it(tag):
    condition = read_condition(tag.as_header())

    assert condition.knows(tag)
    assert condition.allows(tag)


@given(tags)
def test_a_weak_tag_is_enough_to_know_and_not_enough_to_change(tag):
    condition = read_condition(f"W/{tag.as_header()}")

    assert condition.knows(tag)
    assert not condition.allows(tag)


@given(tags, tags)
def test_another_state_is_neither_known_nor_to_be_changed(seen, present):
    condition = read_condition(seen.as_header())

    assert condition.knows(present) == (str(seen) == str(present))
    assert condition.allows(present) == (seen.state == present.state)


@given(states, texts, texts)
def test_what_the_service_notes_by_itself_keeps_nobody_from_changing(state, before, now):
    condition = read_condition(Tag(state, before).as_header())

    assert condition.allows(Tag(state, now))
    assert condition.knows(Tag(state, now)) == (before == now)


@given(tags, st.lists(tags, max_size=3))
def test_of_several_tags_one_that_fits_is_enough(tag, others):
    header = ", ".join(each.as_header() for each in [*others, tag])

    assert read_condition(header).allows(tag)


@given(tags)
def test_a_star_holds_for_whatever_there_is(tag):
    condition = read_condition(" * ")

    assert condition == Condition(None)
    assert condition.knows(tag)
    assert condition.allows(tag)


@pytest.mark.parametrize("header", ["*", '"17"'])
def test_nothing_holds_for_what_is_not_there(header):
    with pytest.raises(PreconditionFailed):
        read_condition(header).require(None)


@given(json_objects, json_objects)
def test_tags_are_alike_when_contents_are_whatever_their_order(state, noted):
    turned = dict(reversed(state.items()))

    tag = tag_of(state, noted)

    assert tag_of(turned, noted) == tag
    assert tag_of({**state, "one more": 1}, noted).state != tag.state
    assert read_condition(tag.as_header()).allows(tag)
