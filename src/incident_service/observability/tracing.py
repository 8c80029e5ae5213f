"""Spans for somebody who records them: OpenTelemetry, when it is switched on; else nobody.

What others see of a span is what W3C Trace Context says in headers: here it is a mapping of these.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

Headers = Mapping[str, str]
Value = str | int | bool | Sequence[str]


class Kind(StrEnum):
    """What a span is to others: it answers a request, works off a job, or asks somebody."""

    INTERNAL = "internal"
    SERVER = "server"
    CONSUMER = "consumer"
    CLIENT = "client"


class Recording(Protocol):
    """A span that is being recorded."""

    @property
    def headers(self) -> Headers:
        """Its place in the trace; empty when the recorder gives it none."""

    def note(self, attributes: Mapping[str, Value]) -> None:
        """Add attributes; ids and names, never a secret."""

    def rename(self, name: str) -> None:
        """Give it another name."""

    def fail(self, error: str) -> None:
        """Say that it failed; `error` is a kind of error, without its message."""

    def end(self) -> None:
        """End it; nothing can be added afterwards."""


class Recorder(Protocol):
    """Who records spans."""

    def begin(
        self,
        name: str,
        kind: Kind,
        parent: Headers,
        others: Sequence[Headers],
        attributes: Mapping[str, Value],
    ) -> Recording:
        """Begin a span below `parent`, or a new trace; it is linked to `others`."""

    def close(self) -> None:
        """Hand over what is left, within a bounded time."""


@dataclass(slots=True)
class Used:
    """The recorder of this process, if there is one."""

    recorder: Recorder | None = None


USED = Used()


def record_with(recorder: Recorder | None) -> None:
    """Have spans recorded from now on; None: no longer."""
    USED.recorder = recorder


def begin(
    name: str,
    kind: Kind,
    parent: Headers,
    others: Sequence[Headers],
    attributes: Mapping[str, Value],
) -> Recording | None:
    """Begin a span when they are recorded; see `Recorder.begin`."""
    if USED.recorder is None:
        return None
    return USED.recorder.begin(name, kind, parent, others, attributes)


def is_recording() -> bool:
    """Say whether it is worth to collect attributes."""
    return USED.recorder is not None
