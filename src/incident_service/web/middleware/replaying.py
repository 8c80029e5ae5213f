"""Pure ASGI middleware: a request that lost against another is run again."""

import structlog
from sqlalchemy.exc import DBAPIError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from incident_service.core.db import ATTEMPTS, Overtaken, is_retryable
from incident_service.web.middleware.access_log import INGEST
from incident_service.web.problems import problem
from incident_service.web.request import MAY_REPLAY

log = structlog.get_logger()
MAX_BODY = 1024 * 1024


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
