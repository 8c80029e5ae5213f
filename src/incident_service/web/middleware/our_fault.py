"""Pure ASGI middleware: what breaks inside is a 500."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from incident_service.web.problems import internal_error


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
