"""Say of an operation that it is going to end: in the document, and on each of its answers.

    @router.get("/old", **deprecated(since=date(2027, 1, 1), sunset=date(2027, 7, 1), see="/docs"))

Both days begin at midnight UTC. `see` is the address of a text for those who use it.

Source: https://www.rfc-editor.org/rfc/rfc9745 (Deprecation), https://www.rfc-editor.org/rfc/rfc8594
(Sunset).
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SINCE = "x-deprecated-since"
SUNSET = "x-sunset"
SEE = "x-deprecation"


def deprecated(*, since: date, sunset: date, see: str) -> dict[str, Any]:
    """Return what a route's decorator is told of it.

    Raises:
        ValueError: it would end before it is deprecated.
    """
    if sunset < since:
        raise ValueError("an operation cannot end before it is deprecated")
    extra = {SINCE: since.isoformat(), SUNSET: sunset.isoformat(), SEE: see}
    return {"deprecated": True, "openapi_extra": extra}


def headers_of(extra: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the headers for an operation, by what its route was told; none for most."""
    if not extra or SINCE not in extra:
        return {}
    return {
        "Deprecation": f"@{int(midnight(extra[SINCE]).timestamp())}",
        "Sunset": format_datetime(midnight(extra[SUNSET]), usegmt=True),
        "Link": f'<{extra[SEE]}>; rel="deprecation"; type="text/html"',
    }


def midnight(day: str) -> datetime:
    """Return the instant at which a day begins."""
    return datetime.combine(date.fromisoformat(day), time(), UTC)


class Deprecations:
    """Adds the headers to the answers of operations that are deprecated, refusals included.

    It belongs innermost: only there the scope shows which route was found.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""

        async def send_announced(message: Message) -> None:
            if message["type"] == "http.response.start":
                extra = getattr(scope.get("route"), "openapi_extra", None)
                for name, value in headers_of(extra).items():
                    MutableHeaders(scope=message).append(name, value)
            await send(message)

        await self.app(scope, receive, send_announced if scope["type"] == "http" else send)
