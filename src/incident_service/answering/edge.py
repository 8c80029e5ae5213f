"""Pure ASGI middleware: whoever follows a link reads words, whatever refused the request."""

import json
from http import HTTPStatus

from fastapi.responses import HTMLResponse
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from incident_service.answering.actions import LinkUnknown
from incident_service.answering.api import GUARDED, FormUnreadable
from incident_service.answering.rendering import write_refusal
from incident_service.core.errors import DomainError
from incident_service.notifications.answer_links import PATH
from incident_service.web.problems import PROBLEM

# They describe the problem and not the page.
REPLACED = {"content-type", "content-length"}
# What the API says of these is for programs.
FOR_PEOPLE: dict[int, DomainError] = {
    HTTPStatus.NOT_FOUND: LinkUnknown(),
    HTTPStatus.METHOD_NOT_ALLOWED: FormUnreadable(),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: FormUnreadable(),
    HTTPStatus.REQUEST_URI_TOO_LONG: LinkUnknown(),
}
OUR_FAULT = "Something went wrong on our side; it has been logged. Load the page again to see."


class InWords:
    """Makes a small page of each problem at a link: what the framework, or a limit, refused.

    It belongs round the other middleware, which refuses as well.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or not scope["path"].startswith(PATH):
            await self.app(scope, receive, send)
            return
        answer = Answer(scope, receive, send)
        try:
            await self.app(scope, receive, answer.take)
        except Exception:
            if not answer.has_begun:
                await answer.say(HTTPStatus.INTERNAL_SERVER_ERROR, OUR_FAULT, Headers())
            raise  # for the server to log


class Answer:
    """Passes an answer on, or makes a page of it when it is a problem."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._problem: Message | None = None
        self._body = b""
        self.has_begun = False

    async def take(self, message: Message) -> None:
        """Take what the app sends."""
        if message["type"] == "http.response.start":
            self.has_begun = True
            if Headers(raw=message["headers"]).get("content-type") == PROBLEM:
                self._problem = message
                return
        if self._problem is None:
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if not message.get("more_body", False):
            status: int = self._problem["status"]
            better = FOR_PEOPLE.get(status)
            words = better.detail if better else str(json.loads(self._body)["detail"])
            await self.say(status, words, Headers(raw=self._problem["headers"]))

    async def say(self, status: int, words: str, headers: Headers) -> None:
        """Send a page that says why not, with the problem's own headers."""
        kept = {name: value for name, value in headers.items() if name not in REPLACED}
        page = HTMLResponse(write_refusal(words), status, headers=kept | GUARDED)
        await page(self._scope, self._receive, self._send)
