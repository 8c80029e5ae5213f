"""Read and write W3C Trace Context: which trace something belongs to, and below which span. Pure.

Source: https://www.w3.org/TR/trace-context/
"""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

# Digits of version 00; a later one may have more behind it, after another dash.
TRACEPARENT = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})"
    r"(?P<more>-.*)?",
    re.ASCII,
)
NO_TRACE, NO_SPAN = "0" * 32, "0" * 16
FORBIDDEN_VERSION = "ff"
SAMPLED, RANDOM = 0x01, 0x02

MEMBER = re.compile(
    r"(?P<key>[a-z0-9][a-z0-9_*/@-]{0,255})="
    r"(?P<value>[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e])",
    re.ASCII,
)
MOST_MEMBERS = 32
# What has to be passed on at least; longer members go first when it is too much.
STATE_LENGTH = 512
LONG_MEMBER = 128


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A place in a trace: ids in lower-case hex, flags of version 00, others' `tracestate`."""

    trace_id: str
    span_id: str
    flags: int = 0
    state: str = ""

    @property
    def traceparent(self) -> str:
        """The header of that name."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"

    @property
    def headers(self) -> dict[str, str]:
        """What a request to somebody else says of it."""
        state = {"tracestate": self.state} if self.state else {}
        return {"traceparent": self.traceparent} | state

    def child(self) -> "TraceContext":
        """Return a new place below this one."""
        return replace(self, span_id=new_span_id())

    def kept(self) -> str:
        """Return the form in which a row keeps it; see `from_kept`."""
        return f"{self.traceparent} {self.state}" if self.state else self.traceparent


def new_span_id() -> str:
    """Return a random id of a span."""
    return os.urandom(8).hex()  # all zeros, which means none, comes once in 10^19


def start() -> TraceContext:
    """Return the root of a new trace that nobody records."""
    ids = os.urandom(24).hex()
    return TraceContext(ids[:32], ids[32:])


def read(traceparents: Sequence[str], tracestates: Iterable[str] = ()) -> TraceContext | None:
    """Read the headers of a request, as many as there are of each; None: there is no valid trace.

    A `traceparent` that is invalid, or comes twice, is as good as none, and then `tracestate` is
    not looked at. An invalid `tracestate` costs only itself. What a later version says beyond
    version 00 is dropped.
    """
    if len(traceparents) != 1:
        return None
    found = TRACEPARENT.fullmatch(traceparents[0].strip(" \t"))
    if found is None or found["version"] == FORBIDDEN_VERSION:
        return None
    if found["version"] == "00" and found["more"]:
        return None
    if found["trace"] == NO_TRACE or found["span"] == NO_SPAN:
        return None
    flags = int(found["flags"], 16) & (SAMPLED | RANDOM)
    return TraceContext(found["trace"], found["span"], flags, read_state(tracestates))


def read_state(tracestates: Iterable[str]) -> str:
    """Return the valid members of `tracestate`, joined; an empty text when any is invalid."""
    parts = (part.strip(" \t") for part in ",".join(tracestates).split(","))
    members = [part for part in parts if part]
    found = [MEMBER.fullmatch(member) for member in members]
    keys = {each["key"] for each in found if each}
    if len(keys) < len(members) or len(members) > MOST_MEMBERS:
        return ""
    return ",".join(shortened(members))


def shortened(members: list[str]) -> list[str]:
    """Leave out whole members until the rest is short enough: long ones, then the last ones."""
    if length(members) > STATE_LENGTH:
        members = [member for member in members if len(member) <= LONG_MEMBER]
    while length(members) > STATE_LENGTH:
        members = members[:-1]
    return members


def length(members: Sequence[str]) -> int:
    """Return how long the members are with their commas."""
    return len(",".join(members))


def from_kept(text: str | None) -> TraceContext | None:
    """Read what a row has kept; None: it kept none, or another release wrote it otherwise."""
    if not text:
        return None
    traceparent, _, state = text.partition(" ")
    return read([traceparent], [state])
