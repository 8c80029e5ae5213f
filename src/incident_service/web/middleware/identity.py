"""Pure ASGI middleware: who this request is, for the log, for traces, and for the caller."""

from collections.abc import Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

from incident_service.core import calls
from incident_service.core.calls import Call, request_id_from
from incident_service.core.spans import span
from incident_service.core.trace_context import TraceContext, read
from incident_service.observability.tracing import Kind
from incident_service.settings import AccessLog, Settings
from incident_service.web.middleware import access_log
from incident_service.web.middleware.access_log import Exchange


class RequestId:
    """Give each request its id and its place in a trace, and log it when it is over.

    Both are in its log lines, the id also in the answer's `X-Request-ID`. A caller's own id is kept
    when it is sane, and its trace is gone on with. It belongs outermost: each answer has an id.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id, parent = read_identity(scope["headers"])
        call = scope[calls.IN_SCOPE] = Call(request_id)
        exchange = Exchange(receive, send, (b"x-request-id", request_id.encode()))
        token = calls.CURRENT.set(call)
        try:
            method = access_log.method_of(scope)
            with span(method, parent, Kind.SERVER, request_id=request_id) as here:
                try:
                    await self.app(scope, exchange.receive, exchange.send)
                finally:
                    access_log.describe(here, scope, call, exchange)
                    access_log.write(mode_of(scope), scope, call, exchange)
        finally:
            calls.CURRENT.reset(token)


def mode_of(scope: Scope) -> AccessLog:
    """Return which requests the application has logged; one without settings logs none."""
    settings: Settings | None = getattr(getattr(scope.get("app"), "state", None), "settings", None)
    return settings.access_log if settings else AccessLog.OFF


def read_identity(headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, TraceContext | None]:
    """Return a request's id, and the place in a trace that it comes from, if it says one."""
    given: bytes | None = None
    traceparents: list[str] = []
    tracestates: list[str] = []
    for name, value in headers:
        if name == b"traceparent":
            traceparents.append(value.decode("latin-1"))
        elif name == b"tracestate":
            tracestates.append(value.decode("latin-1"))
        elif name == b"x-request-id" and given is None:
            given = value
    return request_id_from(given), read(traceparents, tracestates)
