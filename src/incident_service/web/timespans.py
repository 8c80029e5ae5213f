"""Refuse spans of time that hold nothing. Pure."""

from datetime import datetime, timedelta

from incident_service.core.errors import Invalid


class SpanWrong(Invalid):
    """A span has to end after it begins, and may be too long."""


def require_span(
    begins: datetime | None,
    ends: datetime | None,
    pointer: str,
    *,
    longest: timedelta | None = None,
) -> None:
    """Refuse a span that ends before or when it begins, or is too long; None: it is open there.

    `pointer` is the JSON pointer of the parameter that is to be mended.

    Raises:
        SpanWrong: it is such a span.
    """
    if begins is None or ends is None:
        return
    if begins >= ends:
        raise SpanWrong("The span ends before it begins, or when it begins.", pointer)
    if longest is not None and ends - begins > longest:
        raise SpanWrong(f"The span is longer than {longest.days} days.", pointer)
