"""A real webhook receiver on loopback that remembers what it was sent."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn

from incident_service.core.clock import monotonic_s
from incident_service.core.stopping import stops_within


@dataclass
class Received:
    """One delivery: where it went, its idempotency key, what it said."""

    path: str
    key: str
    page: dict[str, Any]
    at_s: float
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def is_update(self) -> bool:
        """Nothing in it asks for an answer."""
        return all(incident["kind"] == "update" for incident in self.page["incidents"])

    @property
    def titles(self) -> list[str]:
        return [incident["title"] for incident in self.page["incidents"]]


@dataclass
class WebhookReceiver:
    """Answers 200, or `answer` when that is set, to every POST."""

    port: int
    received: list[Received] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/{name}"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.received.append(
            Received(
                scope["path"][1:], headers["webhook-id"], json.loads(body), monotonic_s(), headers
            )
        )
        status = self.answers.pop(0) if self.answers else 200
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    def to(self, name: str) -> list[Received]:
        """The pages that came to a path, updates left out."""
        return [item for item in self.all_to(name) if not item.is_update]

    def all_to(self, name: str) -> list[Received]:
        return [item for item in self.received if item.path == name]

    async def expect(self, count: int, *, to: str, within_s: float = 15) -> list[Received]:
        """Wait until `count` deliveries came to a path."""
        await until(lambda: len(self.to(to)) >= count, within_s, f"{count} pages to {to}")
        return self.to(to)

    async def expect_titles(self, titles: list[str], *, to: str, within_s: float = 15) -> None:
        """Wait until incidents of all these titles came to a path."""

        def missing() -> set[str]:
            return set(titles) - {title for item in self.to(to) for title in item.titles}

        await until(lambda: not missing(), within_s, f"pages to {to} about all {len(titles)}")


async def until(is_so: Callable[[], bool], within_s: float, what: str) -> None:
    """Wait for a condition, looking often; fail with words when it does not come."""
    give_up_at_s = monotonic_s() + within_s
    never = asyncio.Event()
    while not is_so():
        assert monotonic_s() < give_up_at_s, f"waited {within_s} s for {what}"
        await stops_within(never, 0.02)


@asynccontextmanager
async def webhook_receiver() -> AsyncIterator[WebhookReceiver]:
    """Serve a receiver on a free port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        receiver = WebhookReceiver(listener.getsockname()[1])
        async with serving(receiver, listener):
            yield receiver


@asynccontextmanager
async def serving(app: Any, listener: socket.socket) -> AsyncIterator[None]:
    """Serve an ASGI app at a bound socket."""
    config = uvicorn.Config(app, log_config=None, lifespan="off", ws="none")
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]  # ours stay
    task = asyncio.create_task(server._serve([listener]))
    await until(lambda: server.started, 5, "the receiver to listen")
    try:
        yield
    finally:
        server.should_exit = True
        await task
