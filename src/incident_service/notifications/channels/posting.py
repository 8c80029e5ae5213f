"""Post to a receiver over HTTP, and read from its answer whether it has the page."""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from incident_service.core.outbound import Answer, Outbound, OutboundFailed, OutboundRefused
from incident_service.notifications.channels.contract import DeliveryFailed

TRY_AGAIN = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
}


async def post(
    outbound: Outbound, url: str, *, content: bytes, headers: Mapping[str, str], at: datetime
) -> str:
    """Post and return the status of the answer; `at` is now, for a dated `Retry-After`.

    Raises:
        DeliveryFailed: any answer but 2xx, or none.
    """
    answer = await exchange(outbound, url, content=content, headers=headers)
    if is_success(answer):
        return str(answer.status)
    raise failure(answer, at, said=answer.body_excerpt)


async def exchange(
    outbound: Outbound, url: str, *, content: bytes, headers: Mapping[str, str]
) -> Answer:
    """Post and return whatever comes back.

    Raises:
        DeliveryFailed: nothing did.
    """
    try:
        return await outbound.post(url, content=content, headers=headers)
    except OutboundRefused as error:
        raise DeliveryFailed(str(error), permanent=True) from error
    except OutboundFailed as error:
        raise DeliveryFailed(str(error)) from error


def is_success(answer: Answer) -> bool:
    """Say whether the receiver has it."""
    return HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES


def failure(
    answer: Answer,
    at: datetime,
    *,
    said: str,
    more: str = "",
    by: str = "The receiver",
    wish_s: float | None = None,
    may_recover: bool = False,
) -> DeliveryFailed:
    """Tell a receiver that may recover from one that will not have this page.

    `said` and `more` are those of `DeliveryFailed`. `wish_s` is the receiver's own wish when it is
    not in the header `Retry-After`; `may_recover` is for what is known to pass though its status
    says no.
    """
    passes = answer.status in TRY_AGAIN or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    if wish_s is None:
        wish_s = retry_after_s(answer.headers.get("retry-after", ""), at)
    return DeliveryFailed(
        f"{by} answered {answer.status}" + ("" if said.strip() or more else "."),
        said=said,
        more=more,
        permanent=not (passes or may_recover),
        retry_after_s=wish_s,
    )


def read_object(answer: Answer) -> dict[str, Any]:
    """Read a JSON object; an answer that is none, such as a proxy's, is an empty one."""
    try:
        body = json.loads(answer.body_excerpt)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


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
