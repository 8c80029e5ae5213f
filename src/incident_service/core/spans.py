"""What is being done now, as a span: its place in a trace.

The ids go into log lines, into rows that are written for later (`Tx.trace_of`), and into requests
to others (`Outbound`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import structlog

from incident_service.core import trace_context
from incident_service.core.trace_context import TraceContext

CURRENT: ContextVar[TraceContext | None] = ContextVar("incident_service_trace", default=None)


def current_trace() -> TraceContext | None:
    """Return the place in a trace of what is being done; None: it belongs to nothing."""
    return CURRENT.get()


def kept_trace() -> str | None:
    """Return the same in the form that rows keep."""
    current = CURRENT.get()
    return current.kept() if current else None


@contextmanager
def span(parent: TraceContext | None) -> Iterator[TraceContext]:
    """Do something below `parent`, or as the root of a new trace."""
    here = parent.child() if parent else trace_context.start()
    token = CURRENT.set(here)
    bound = structlog.contextvars.bind_contextvars(trace_id=here.trace_id, span_id=here.span_id)
    try:
        yield here
    finally:
        structlog.contextvars.reset_contextvars(**bound)
        CURRENT.reset(token)
