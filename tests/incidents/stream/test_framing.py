import re

from hypothesis import given
from hypothesis import strategies as st
from tests.incidents.stream.sse import Event, Parser

from incident_service.incidents.stream import framing

words = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1)
texts = st.text(st.one_of(st.sampled_from("\r\n :\u2028"), st.characters(codec="utf-8")))


def parsed(raw: bytes) -> tuple[Parser, list[Event]]:
    parser = Parser()
    lines = re.split(r"\r\n|\r|\n", raw.decode())
    assert lines[-1] == ""
    return parser, [event for line in lines[:-1] for event in parser.take(line)]


@given(words, words, texts)
def test_an_event_is_read_as_it_was_written(id_, kind, data):
    _, events = parsed(framing.event(id_, kind, data))

    assert events == [Event(id_, kind, re.sub(r"\r\n|\r", "\n", data))]


@given(st.lists(st.tuples(words, words, texts)))
def test_events_do_not_run_into_each_other(written):
    _, events = parsed(b"".join(framing.event(*each) + framing.heartbeat("x") for each in written))

    assert [(event.id, event.kind) for event in events] == [each[:2] for each in written]


@given(words)
def test_a_heartbeat_moves_the_id_and_tells_nothing(id_):
    parser, events = parsed(framing.heartbeat(id_))

    assert events == []
    assert parser.last_id == id_
    assert parser.comments == ["alive"]


def test_the_opening_says_how_soon_to_come_back_and_from_where():
    parser, events = parsed(framing.opening("here", 2000))

    assert events == []
    assert (parser.last_id, parser.retry_ms) == ("here", 2000)


@given(texts)
def test_a_comment_is_nothing_but_comment(words):
    parser, events = parsed(framing.comment(words))

    assert events == []
    assert parser.last_id == ""
