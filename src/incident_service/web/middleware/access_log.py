"""One log line a request: who asked for what, and what came of it. Never a secret.

A path is only ever the template of its route, and a query is never shown: both may hold keys.
"""

from typing import Any

import structlog
from starlette.types import Message, Receive, Scope, Send

from incident_service.core.calls import Call
from incident_service.core.clock import monotonic_s
from incident_service.core.spans import Span, current_trace
from incident_service.observability.logging import write_often
from incident_service.observability.redaction import mask
from incident_service.settings import AccessLog

log = structlog.get_logger()

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# Paths and methods that callers make up must not become labels, nor be read in logs.
OTHER = "other"
INGEST = "/v1/ingest/"
# Asked for every few seconds by machines; seen with LOG_LEVEL=DEBUG.
HEALTH = frozenset({"/livez", "/readyz", "/metrics"})
SERVER_ERRORS = 500


class Exchange:
    """A request and its answer as they pass: the status, and how long both are in bytes.

    `header` is added to the answer.
    """

    __slots__ = ("_began_s", "_header", "_receive", "_send", "bytes_in", "bytes_out", "status")

    def __init__(self, receive: Receive, send: Send, header: tuple[bytes, bytes]) -> None:
        self._receive = receive
        self._send = send
        self._header = header
        self._began_s = monotonic_s()
        self.status: int | None = None
        self.bytes_in = 0
        self.bytes_out = 0

    async def receive(self) -> Message:
        """Hand on a part of the request."""
        message = await self._receive()
        self.bytes_in += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        """Hand on a part of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message["headers"], self._header]
        else:
            self.bytes_out += len(message.get("body", b""))
        await self._send(message)

    @property
    def duration_ms(self) -> float:
        """How long it has taken so far."""
        return round((monotonic_s() - self._began_s) * 1000, 2)


def method_of(scope: Scope) -> str:
    """Return the method, unless its caller has made it up."""
    return scope["method"] if scope["method"] in METHODS else OTHER


def is_wanted(mode: AccessLog, route: str) -> bool:
    """Say whether a request to a route is logged."""
    if mode is AccessLog.NO_INGEST:
        return not route.startswith(INGEST)
    return mode is AccessLog.ON


def write(mode: AccessLog, scope: Scope, call: Call, exchange: Exchange) -> None:
    """Write the line of a request; the ids of request and trace are bound to it already."""
    route = call.route or OTHER
    if not is_wanted(mode, route):
        return
    line = {
        "method": method_of(scope),
        "path": route,
        "status": exchange.status,
        "duration_ms": exchange.duration_ms,
        "bytes_in": exchange.bytes_in,
        "bytes_out": exchange.bytes_out,
        "client": client_of(scope),
        **caller(call),
    }
    if call.key_name is None and route.startswith(INGEST):
        write_often("http.request", line | identity(call))
    elif route in HEALTH:
        log.debug("http.request", **line)
    else:
        log.info("http.request", **line)


def client_of(scope: Scope) -> str | None:
    """Return the address that the connection comes from, which may be a proxy's."""
    client = scope.get("client")
    return client[0] if client else None


def identity(call: Call) -> dict[str, str]:
    """Return the ids that other log lines have bound to them."""
    here = current_trace()
    place = {"trace_id": here.trace_id, "span_id": here.span_id} if here else {}
    return {"request_id": shown(call.request_id), **place}


def shown(request_id: str) -> str:
    """Mask what a caller may have put into its id; letters and digits alone are no key."""
    is_plain = request_id.replace("-", "").isalnum()
    return request_id if is_plain else mask(request_id)


def caller(call: Call) -> dict[str, Any]:
    """Return who asked, as far as it is known."""
    known = {
        "key_id": call.key_id,
        "key_name": call.key_name,
        "user_id": call.user_id,
        "integration_id": call.integration_id,
    }
    return {name: str(value) for name, value in known.items() if value is not None}


def describe(span: Span, scope: Scope, call: Call, exchange: Exchange) -> None:
    """Say the same of the span of a request, if it is recorded."""
    if span.recording is None:
        return
    route = call.route or OTHER
    span.rename(f"{method_of(scope)} {route}")
    span.note(
        {
            "http.request.method": method_of(scope),
            "http.route": route,
            "http.response.status_code": exchange.status,
            "incident_service.request_id": call.request_id,
            **{f"incident_service.{name}": value for name, value in caller(call).items()},
        }
    )
    if exchange.status is None or exchange.status >= SERVER_ERRORS:
        span.fail(str(exchange.status or "no answer"))
