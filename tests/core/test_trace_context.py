"""Trace context is read as W3C has it, whatever comes."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from incident_service.core import trace_context
from incident_service.core.trace_context import TraceContext, from_kept, read, read_state

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
VALID = f"00-{TRACE}-{SPAN}-01"

hexes = st.text("0123456789abcdef", min_size=1)
traces = st.text("0123456789abcdef", min_size=32, max_size=32).filter(
    lambda text: set(text) != {"0"}
)
spans = st.text("0123456789abcdef", min_size=16, max_size=16).filter(
    lambda text: set(text) != {"0"}
)
keys = st.from_regex(r"[a-z0-9][a-z0-9_*/@-]{0,20}", fullmatch=True)
values = st.from_regex(r"[!-+\--<>-~]{1,20}", fullmatch=True)
states = st.dictionaries(keys, values, max_size=8).map(
    lambda members: ",".join(f"{key}={value}" for key, value in members.items())
)
contexts = st.builds(TraceContext, traces, spans, st.sampled_from([0, 1, 2, 3]), states)


def test_a_valid_header_is_read():
    assert read([VALID], ["a=1"]) == TraceContext(TRACE, SPAN, 1, "a=1")


@given(contexts)
def test_what_is_written_is_read_again(context):
    headers = context.headers

    assert read([headers["traceparent"]], [headers.get("tracestate", "")]) == context
    assert from_kept(context.kept()) == context


@given(contexts)
def test_a_child_is_another_span_of_the_same_trace(context):
    child = context.child()

    assert child.span_id != context.span_id
    assert (child.trace_id, child.flags, child.state) == (
        context.trace_id,
        context.flags,
        context.state,
    )


@pytest.mark.parametrize(
    "header",
    [
        "",
        VALID.upper(),
        VALID + "-more",
        VALID + "0",
        VALID[:-1],
        VALID + "\n",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"cc-{TRACE}-{SPAN}-01more",
        f"00-{TRACE}-{SPAN}-0x",
        f"00-{TRACE.replace('0', chr(0x660))}-{SPAN}-01",
        f"{VALID},{VALID}",
    ],
)
def test_an_invalid_header_is_as_good_as_none(header):
    assert read([header], ["a=1"]) is None


def test_two_headers_are_as_good_as_none():
    assert read([VALID, VALID]) is None
    assert read([]) is None


@pytest.mark.parametrize("more", ["", "-", "-what-the-future-will-be-like"])
def test_of_a_later_version_what_is_known_is_read(more):
    found = read([f"cc-{TRACE}-{SPAN}-01{more}"])

    assert found == TraceContext(TRACE, SPAN, 1)
    assert found.traceparent == VALID


def test_flags_that_nobody_knows_are_not_passed_on():
    found = read([f"00-{TRACE}-{SPAN}-ff"])

    assert found
    assert found.flags == 3


@example(VALID)
@given(st.text() | hexes | st.from_regex(r"[0-9a-f-]{50,60}", fullmatch=True))
def test_whatever_comes_is_read_or_ignored(text):
    found = read([text], [text])

    assert found is None or read([found.traceparent]) is not None


@pytest.mark.parametrize(
    ("headers", "state"),
    [
        ([], ""),
        (["a=1", "b=2"], "a=1,b=2"),
        (["a=1 , \tb=2,,"], "a=1,b=2"),
        (["tenant@vendor=x y"], "tenant@vendor=x y"),
        (["a=1,a=2"], ""),
        (["A=1"], ""),
        (["a"], ""),
        (["a=1,b==2"], ""),
        (["a=1,b=é"], ""),
        ([",".join(f"k{number}=1" for number in range(33))], ""),
    ],
)
def test_the_state_is_read_as_a_whole_or_not_at_all(headers, state):
    assert read_state(headers) == state


def test_too_long_a_state_loses_its_long_members_first():
    long, short = f"long={'x' * 200}", [f"k{number}={'x' * 90}" for number in range(9)]

    kept = read_state([",".join([long, *short])]).split(",")

    assert kept == short[: len(kept)]
    assert len(kept) == 5


@given(st.lists(st.text(), max_size=3))
def test_no_state_is_longer_than_has_to_be_passed_on(headers):
    state = read_state(headers)

    assert len(state) <= trace_context.STATE_LENGTH
    assert read_state([state]) == state


@given(st.none() | st.text())
def test_a_row_that_somebody_else_has_written_breaks_nothing(text):
    found = from_kept(text)

    assert found is None or from_kept(found.kept()) == found


def test_each_trace_is_another():
    started = {trace_context.start().trace_id for _ in range(100)}

    assert len(started) == 100
    assert all(read([trace_context.start().traceparent]) for _ in range(100))
