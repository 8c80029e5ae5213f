"""Post to a receiver over HTTP, and read from its answer whether it has the page."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from incident_service.core.outbound import Answer, Outbound, OutboundFailed, OutboundRefused
from incident_service.notifications.channels.contract import DeliveryFailed

TRY_AGAIN = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
}
EXCERPT_LENGTH = 120


async def post(
    outbound: Outbound, url: str, *, content: bytes, headers: Mapping[str, str], at: datetime
) -> str:
    """Post and return the status of the answer; `at` is now, for a dated `Retry-After`.

    Raises:
        DeliveryFailed: any answer but 2xx, or none.
    """
    try:
        answer = await outbound.post(url, content=content, headers=headers)
    except OutboundRefused as error:
        raise DeliveryFailed(str(error), permanent=True) from error
    except OutboundFailed as error:
        raise DeliveryFailed(str(error)) from error
    if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
        return str(answer.status)
    raise failure(answer, at)


def failure(answer: Answer, at: datetime) -> DeliveryFailed:
    """Tell a receiver that may recover from one that will not have this page."""
    excerpt = answer.body_excerpt.strip()[:EXCERPT_LENGTH]
    may_recover = answer.status in TRY_AGAIN or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return DeliveryFailed(
        f"The receiver answered {answer.status}" + (f": {excerpt}" if excerpt else "."),
        permanent=not may_recover,
        retry_after_s=retry_after_s(answer.headers.get("retry-after", ""), at),
    )


def retry_after_s(value: str, at: datetime) -> float | None:
    """Read `Retry-After`: seconds or a date; None when there is no usable one."""
    try:
        seconds = float(value) if value.strip()[:1].isdigit() else seconds_until(value, at)
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def seconds_until(date: str, at: datetime) -> float:
    """Return the seconds from `at` to an HTTP date. Raises ValueError."""
    then = parsedate_to_datetime(date)
    return (then.replace(tzinfo=then.tzinfo or UTC) - at).total_seconds()
