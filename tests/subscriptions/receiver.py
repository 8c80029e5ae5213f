"""A real receiver of events on loopback, which answers as it is told to."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks import Webhook
from tests.receiver import serving


@dataclass(frozen=True)
class Heard:
    """One request: where it came to, and what it said."""

    path: str
    headers: dict[str, str]
    text: str

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.text)
        return body

    @property
    def kind(self) -> str:
        return str(self.body["type"]).removeprefix("incident.")

    @property
    def sequence(self) -> int:
        return int(self.body["data"]["event"]["sequence"])

    @property
    def incident(self) -> str:
        return str(self.body["data"]["incident"]["title"])

    def verify(self, secret: str) -> None:
        """Raise unless it was signed by `secret`, within 5 min of now."""
        Webhook(secret).verify(self.text, self.headers)


@dataclass
class EventReceiver:
    """Answers each request with what `answer` says: a status, and headers.

    `meanwhile` is called when a request has come in whole, and before it is answered.
    """

    port: int
    answer: Callable[[Heard], int] = lambda _heard: 204
    says: str = "why not"
    answer_headers: dict[str, str] = field(default_factory=dict)
    hangs: set[str] = field(default_factory=set)
    heard: list[Heard] = field(default_factory=list)
    meanwhile: Callable[[], None] = field(default=lambda: None)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def url(self, path: str = "hook") -> str:
        return f"http://127.0.0.1:{self.port}/{path}"

    def at(self, path: str) -> list[Heard]:
        return [heard for heard in self.heard if heard.path == path]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        heard = Heard(scope["path"][1:], headers, body.decode())
        self.heard.append(heard)
        self.meanwhile()
        if heard.path in self.hangs:
            await self.released.wait()
        extra = [(name.encode(), value.encode()) for name, value in self.answer_headers.items()]
        status = self.answer(heard)
        await send({"type": "http.response.start", "status": status, "headers": extra})
        await send(
            {"type": "http.response.body", "body": b"" if status == 204 else self.says.encode()}
        )


@asynccontextmanager
async def event_receiver() -> AsyncIterator[EventReceiver]:
    """Serve a receiver on a free port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        receiver = EventReceiver(listener.getsockname()[1])
        async with serving(receiver, listener):
            try:
                yield receiver
            finally:
                receiver.released.set()
