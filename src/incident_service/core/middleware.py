"""Pure ASGI middleware: what happens to every request, whatever it asks for."""

from collections.abc import Iterable

import structlog
from sqlalchemy.exc import DBAPIError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from incident_service.core import access_log, calls
from incident_service.core.access_log import INGEST, Exchange
from incident_service.core.calls import Call, request_id_from
from incident_service.core.db import ATTEMPTS, Overtaken, is_retryable
from incident_service.core.http import MAY_REPLAY, internal_error, problem
from incident_service.core.spans import span
from incident_service.core.trace_context import TraceContext, read
from incident_service.observability.tracing import Kind
from incident_service.settings import AccessLog, Settings

log = structlog.get_logger()
MAX_BODY = 1024 * 1024


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


class OurFault:
    """Answers 500 when something broke inside; the error goes on, to be logged.

    The framework would do so outermost, past what adds headers: a page of another origin could not
    read the answer.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        started = False

        async def note_start(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, note_start)
        except Exception:
            if scope["type"] == "http" and not started:
                await internal_error()(scope, receive, send)
            raise


class BodyTooLarge(Exception):
    """The body went over the limit."""


class BodyIncomplete(Exception):
    """The connection ended before the body did."""


class ReplayOnConflict:
    """Run a request again when PostgreSQL ended its transaction in favour of another.

    Deadlocks and serialization failures roll everything back, so the request may simply be
    replayed. Its body is kept for that, up to `MAX_BODY`. Ingest reads and retries on its own.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["path"].startswith(INGEST):
            await self.app(scope, receive, send)
            return
        try:
            body = await read_body(receive, MAX_BODY)
        except BodyTooLarge:
            answer = problem(413, "too_large", f"The body may have at most {MAX_BODY} bytes.")
            await answer(scope, receive, send)
            return
        except BodyIncomplete as error:
            # For the log: nobody hears it. A part of a request says something else than all of it.
            await problem(400, "incomplete", str(error.__doc__))(scope, receive, send)
            return
        for attempt in range(1, ATTEMPTS + 1):
            if await self._attempt(scope, body, receive, send, last=attempt == ATTEMPTS):
                return

    async def _attempt(
        self, scope: Scope, body: bytes, receive: Receive, send: Send, *, last: bool
    ) -> bool:
        started = False

        async def note_start(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app({**scope, MAY_REPLAY: not last}, replayed(body, receive), note_start)
        except (DBAPIError, Overtaken) as error:
            if started or not is_retryable(error):
                raise
            log.info("request.replayed", reason=type(error).__name__)
            return False
        return True


def replayed(body: bytes, receive: Receive) -> Receive:
    """Make a `receive` that gives the kept body once, then whatever comes after it."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return pending.pop() if pending else await receive()

    return receive_again


async def read_body(receive: Receive, limit: int) -> bytes:
    """Read the whole body.

    Raises:
        BodyTooLarge: it has more than `limit` bytes.
        BodyIncomplete: the caller went away.
    """
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise BodyIncomplete
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise BodyTooLarge
        if not message.get("more_body", False):
            return b"".join(parts)
