"""A provider's API as a real HTTP server on loopback: it answers what its documentation says."""

import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any
from urllib.parse import parse_qsl

from tests.receiver import serving

from incident_service.core.outbound import Outbound

LOOPBACK = [ip_network("127.0.0.0/8")]


@dataclass(frozen=True)
class Answer:
    """What the provider says."""

    status: int
    body: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """One request as it came over the wire."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), strict_parsing=True))


@dataclass
class Provider:
    """Answers each POST with the first of `answers`, or else with `answer`, and remembers it.

    A path whose end is in `at` has an answer of its own.

    `meanwhile` is called when a request has come in whole, and before it is answered.
    """

    url: str
    answer: Answer
    answers: list[Answer] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    meanwhile: Callable[[], None] = field(default=lambda: None)
    at: dict[str, Answer] = field(default_factory=dict)

    def outbound(self) -> Outbound:
        return Outbound(LOOPBACK)

    def answer_at(self, path: str) -> Answer:
        return next((made for end, made in self.at.items() if path.endswith(end)), self.answer)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.asked.append(Asked(scope["path"], headers, body))
        self.meanwhile()
        answer = self.answers.pop(0) if self.answers else self.answer_at(scope["path"])
        said = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": said})
        await send({"type": "http.response.body", "body": answer.body.encode()})


@asynccontextmanager
async def provider(answer: Answer) -> AsyncIterator[Provider]:
    """Serve a provider on a free port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        made = Provider(f"http://127.0.0.1:{listener.getsockname()[1]}", answer)
        async with serving(made, listener):
            yield made
