"""Pure ASGI middleware: how long requests take, by route."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from incident_service.core.calls import current_call
from incident_service.core.clock import monotonic_s
from incident_service.core.db import is_retryable
from incident_service.observability import metrics
from incident_service.web.middleware.access_log import OTHER, method_of
from incident_service.web.request import MAY_REPLAY

EVENT_STREAM = "text/event-stream"


class RequestTimes:
    """Measures each request, from its routing to the end of its answer.

    It belongs innermost: only there the scope shows which route was found. What is going to be
    replayed is measured when it is answered. A stream is measured up to its beginning: it lasts as
    long as its reader likes.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began_s = monotonic_s()
        status = 500  # what an error that nobody renders becomes
        is_stream = False

        async def note_status(message: Message) -> None:
            nonlocal status, is_stream
            if message["type"] == "http.response.start":
                status = message["status"]
                is_stream = Headers(raw=message["headers"]).get("content-type") == EVENT_STREAM
                if is_stream:
                    observe(scope, status, monotonic_s() - began_s)
            await send(message)

        try:
            await self.app(scope, receive, note_status)
        except Exception as error:
            if not is_stream and not (is_retryable(error) and scope.get(MAY_REPLAY)):
                observe(scope, status, monotonic_s() - began_s)
            raise
        if not is_stream:
            observe(scope, status, monotonic_s() - began_s)


def observe(scope: Scope, status: int, seconds: float) -> None:
    """Count a request."""
    observe_path(template(scope), method_of(scope), status, seconds)


def observe_path(path: str, method: str, status: int, seconds: float) -> None:
    """Count a request to a known path, and say so to who logs it."""
    call = current_call()
    if call:
        call.route = path
    metrics.HTTP_SECONDS.labels(path, method, f"{status // 100}xx").observe(seconds)


def template(scope: Scope) -> str:
    """Return the path of the route that was found, like `/v1/incidents/{incident_id}`.

    A recent FastAPI's `route` lacks the prefix that it was included with; its context has it.
    """
    included = scope.get("fastapi", {}).get("effective_route_context")
    path = getattr(included or scope.get("route"), "path", None)
    return path if isinstance(path, str) else OTHER
