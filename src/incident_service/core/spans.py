"""What is being done now, as a span: its place in a trace.

The ids go into log lines, into rows that are written for later (`Tx.trace_of`), and into requests
to others (`Outbound`), whether or not somebody records spans.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import structlog

from incident_service.core import trace_context
from incident_service.core.trace_context import TraceContext, read
from incident_service.observability import tracing
from incident_service.observability.tracing import Kind, Recording, Value

CURRENT: ContextVar[TraceContext | None] = ContextVar("incident_service_trace", default=None)


@dataclass(frozen=True, slots=True)
class Span:
    """Something that is being done; nobody may be recording it."""

    place: TraceContext
    recording: Recording | None = None

    def note(self, attributes: Mapping[str, Value | None]) -> None:
        """Add what is known of the attributes; ids and names, never a secret."""
        if self.recording:
            self.recording.note(known(attributes))

    def rename(self, name: str) -> None:
        """Give it another name."""
        if self.recording:
            self.recording.rename(name)

    def fail(self, error: str) -> None:
        """Say that it failed; `error` is a kind of error, without its message."""
        if self.recording:
            self.recording.fail(error)

    def end(self) -> None:
        """End it before what is done in its place has ended, such as its record."""
        if self.recording:
            self.recording.end()


def known(attributes: Mapping[str, Value | None]) -> dict[str, Value]:
    """Leave out what is not known."""
    return {name: value for name, value in attributes.items() if value is not None}


def current_trace() -> TraceContext | None:
    """Return the place in a trace of what is being done; None: it belongs to nothing."""
    return CURRENT.get()


def kept_trace() -> str | None:
    """Return the same in the form that rows keep."""
    current = CURRENT.get()
    return current.kept() if current else None


@contextmanager
def span(
    name: str,
    parent: TraceContext | None,
    kind: Kind = Kind.CLIENT,
    *,
    others: Iterable[TraceContext] = (),
    attributes: Mapping[str, Value | None] | None = None,
    expected: tuple[type[Exception], ...] = (),
    request_id: str | None = None,
) -> Iterator[Span]:
    """Do something below `parent`, or as the root of a new trace.

    `others` are places that it follows from as well. Errors that are `expected` are no failures.
    Its log lines have its ids, and the `request_id` of the request that it answers.
    """
    recording: Recording | None = None
    if tracing.is_recording():
        recording = tracing.begin(
            name,
            kind,
            parent.headers if parent else {},
            [each.headers for each in others],
            known(attributes or {}),
        )
    here = Span(place_of(recording, parent), recording)
    token = CURRENT.set(here.place)
    ids = {"trace_id": here.place.trace_id, "span_id": here.place.span_id}
    if request_id is not None:
        ids["request_id"] = request_id
    bound = structlog.contextvars.bind_contextvars(**ids)
    try:
        yield here
    except Exception as error:
        if not isinstance(error, expected):
            here.fail(type(error).__name__)
        raise
    finally:
        structlog.contextvars.reset_contextvars(**bound)
        CURRENT.reset(token)
        here.end()


def begin_trace() -> TraceContext:
    """Begin a trace for what nobody has asked for, such as what a sweep finds due.

    Its root is a span that is over at once: it is there for whoever records, to decide whether the
    trace is sampled, and for what follows to be below.
    """
    with span("found due", None, Kind.INTERNAL) as root:
        return root.place


def place_of(recording: Recording | None, parent: TraceContext | None) -> TraceContext:
    """Return where a span is: as its recorder says, else a new place below its parent."""
    if recording:
        headers = recording.headers
        found = read([headers.get("traceparent", "")], [headers.get("tracestate", "")])
        if found:
            return found
    return parent.child() if parent else trace_context.start()
