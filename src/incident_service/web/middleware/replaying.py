"""Pure ASGI middleware: a request that lost against another is run again."""

import asyncio

import structlog
from sqlalchemy.exc import DBAPIError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from incident_service.core.db import ATTEMPTS, Overtaken, is_retryable
from incident_service.core.errors import DomainError, Incomplete, TooLarge, TooSlow
from incident_service.web.middleware.access_log import INGEST
from incident_service.web.problems import answer_of
from incident_service.web.request import MAY_REPLAY

log = structlog.get_logger()
MAX_BODY = 1024 * 1024
BODY_WITHIN_S = 30.0


class ReplayOnConflict:
    """Run a request again when PostgreSQL ended its transaction in favour of another.

    Deadlocks and serialization failures roll everything back, so the request may simply be
    replayed. Its body is kept for that, up to `MAX_BODY`. Ingest reads and retries on its own.
    """

    def __init__(self, app: ASGIApp, body_within_s: float = BODY_WITHIN_S) -> None:
        self.app = app
        self._body_within_s = body_within_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["path"].startswith(INGEST):
            await self.app(scope, receive, send)
            return
        try:
            body = await read_body(receive, MAX_BODY, self._body_within_s)
        except DomainError as error:
            # When it is incomplete nobody hears it, but for the log. A part of a request says
            # something else than all of it.
            await answer_of(error)(scope, receive, send)
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


async def read_body(receive: Receive, limit: int, within_s: float) -> bytes:
    """Read the whole body.

    Raises:
        TooLarge: it has more than `limit` bytes.
        TooSlow: it did not arrive in time.
        Incomplete: the caller went away.
    """
    try:
        async with asyncio.timeout(within_s):
            return await collect(receive, limit)
    except TimeoutError as error:
        raise TooSlow from error


async def collect(receive: Receive, limit: int) -> bytes:
    """Put the parts of a body together; see `read_body`."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Incomplete
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise TooLarge(f"The body may have at most {limit} bytes.")
        if not message.get("more_body", False):
            return b"".join(parts)
