"""However much an alert says, a page fits what its provider takes, and its links are whole."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.notifications.arrangements import PAGED, outgoing

from incident_service.notifications.channels import ntfy, telegram
from incident_service.notifications.message import OutgoingPage, text
from incident_service.notifications.wording import slack
from incident_service.notifications.wording.fitted import cut, in_bytes, in_units, text_within

ANSWER = "https://incidents.example/a/" + "t" * 22 + "." + "s" * 22


@dataclass(frozen=True)
class Kind:
    """How a provider's text is made, and how much of it the provider takes."""

    say: Callable[[OutgoingPage], str]
    size: Callable[[str], int]
    limit: int


# Sources: https://docs.slack.dev/messaging/formatting-message-text,
# https://core.telegram.org/bots/api#sendmessage, https://docs.ntfy.sh/publish/#limitations
KINDS = {
    "slack": Kind(lambda page: str(json.loads(slack.as_message(page))["text"]), len, 4000),
    "telegram": Kind(
        lambda page: str(json.loads(telegram.as_message(page, "1"))["text"]), in_units, 4096
    ),
    "ntfy": Kind(lambda page: text_within(ntfy.MESSAGE_BYTES, in_bytes, page), in_bytes, 4096),
}
each_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())


@dataclass(frozen=True)
class Sketch:
    """A page about one or many incidents, some of which say far too much; itself it is short."""

    words: list[str]
    times: list[int]
    incidents: int
    answer_url: str | None

    def page(self) -> OutgoingPage:
        said = iter([word * times for word, times in zip(self.words, self.times, strict=True)])
        incident = replace(
            PAGED,
            title=next(said),
            service=next(said),
            team=next(said),
            reason=next(said),
            labels={next(said): next(said)},
            annotations={name: next(said) for name in ("summary", "description", "runbook_url")},
            also_told=(next(said), next(said)),
        )
        return replace(outgoing(*[incident] * self.incidents), answer_url=self.answer_url)


TEXTS = 11
SKETCHES = st.builds(
    Sketch,
    st.lists(st.text(max_size=20), min_size=TEXTS, max_size=TEXTS),
    st.lists(st.integers(0, 400), min_size=TEXTS, max_size=TEXTS),
    st.integers(1, 50),
    st.sampled_from([ANSWER, None]),
)


@each_kind
@given(SKETCHES)
def test_a_page_fits_and_ends_with_its_whole_link(kind, sketch):
    page = sketch.page()

    said = kind.say(page)

    assert kind.size(said) <= kind.limit
    if page.answer_url:
        assert said.rstrip().endswith(f"\nanswer: {ANSWER}")
    assert unescape(said).count("https://incidents.example/v1") == said.count(PAGED.url)


@each_kind
def test_annotations_are_shortened_before_an_incident_is_left_out(kind):
    long = replace(PAGED, annotations={"description": "too much " * 500})

    said = kind.say(outgoing(long, replace(PAGED, number=13), answer_url=ANSWER))

    assert "description: too much too much" in said
    assert "#13 Disk of db1 is full" in said
    assert "\n… and" not in said


@each_kind
def test_of_many_incidents_the_first_are_shown_and_the_others_counted(kind):
    page = outgoing(*(replace(PAGED, number=number) for number in range(100, 150)))

    said = kind.say(replace(page, answer_url=ANSWER))

    shown = said.count("Disk of db1 is full [")
    assert 5 < shown < 50
    assert f"\n\n… and {50 - shown} more\n\nanswer: {ANSWER}" in said
    assert f"#{99 + shown} Disk of db1 is full [" in said


@each_kind
def test_what_fits_is_said_as_it_is(kind):
    page = outgoing(PAGED, PAGED, answer_url=ANSWER)

    assert text(page).rstrip() in kind.say(page)


@each_kind
@given(st.text(max_size=30), st.integers(1, 1000))
def test_a_note_fits(kind, said, times):
    assert kind.size(kind.say(outgoing(note=said * times))) <= kind.limit


@each_kind
@pytest.mark.parametrize("length", [3500, 5000])
def test_a_link_that_cannot_fit_is_left_out_whole(kind, length):
    url = "https://incidents.example/" + "a" * length

    said = kind.say(outgoing(replace(PAGED, title="x" * 400, url=url), answer_url=url))

    assert kind.size(said) <= kind.limit
    assert said.rstrip().endswith(f"answer: {url}") or "https:" not in said


@pytest.mark.parametrize("size", [len, in_bytes, in_units])
@given(said=st.text(), limit=st.integers(3, 40))
def test_a_cut_text_begins_like_the_whole_and_fits(size, said, limit):
    kept = cut(said, limit, size)

    assert size(kept) <= limit
    assert kept == said or said.startswith(kept.removesuffix("…"))
