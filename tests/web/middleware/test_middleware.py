"""Requests are replayed when the database asks for it, and only then."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI, Request
from sqlalchemy.exc import DBAPIError
from starlette.types import Message, Receive, Scope, Send

from incident_service.core.db import Overtaken
from incident_service.web.middleware.identity import RequestId
from incident_service.web.middleware.replaying import MAX_BODY, ReplayOnConflict
from incident_service.web.problems import install_error_handlers


class Deadlock(Exception):
    sqlstate = "40P01"


class Broken(Exception):
    sqlstate = "42P01"


def failing(times: int, error: Exception) -> tuple[FastAPI, list[bytes]]:
    """An app whose only route fails a few times before it answers."""
    app = FastAPI()
    bodies: list[bytes] = []

    @app.post("/")
    async def act(request: Request) -> dict[str, int]:
        bodies.append(await request.body())
        if len(bodies) <= times:
            raise error
        return {"attempts": len(bodies)}

    install_error_handlers(app, {})
    app.add_middleware(ReplayOnConflict)
    app.add_middleware(RequestId)
    return app, bodies


async def post(app: FastAPI, content: bytes = b"hello") -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.post("/", content=content)


@pytest.mark.parametrize("error", [DBAPIError("…", None, Deadlock()), Overtaken()])
async def test_a_conflict_is_tried_again_with_the_same_body(error):
    app, bodies = failing(2, error)

    answer = await post(app)

    assert (answer.status_code, answer.json()) == (200, {"attempts": 3})
    assert bodies == [b"hello"] * 3


async def test_a_conflict_that_does_not_end_is_unavailable():
    app, bodies = failing(99, DBAPIError("…", None, Deadlock()))

    answer = await post(app)

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert len(bodies) == 4


async def test_other_errors_are_not_tried_again():
    app, bodies = failing(1, DBAPIError("…", None, Broken()))

    answer = await post(app)

    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert len(bodies) == 1


@pytest.mark.parametrize("part", [b"", b"hel"])
async def test_a_request_that_is_cut_off_is_not_acted_on(part):
    app, bodies = failing(0, Overtaken())
    coming = [
        {"type": "http.request", "body": part, "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return coming.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": []}
    await app(scope, receive, send)

    assert bodies == []
    assert sent[0]["status"] == 400


async def test_a_body_that_does_not_come_is_not_waited_for():
    bodies: list[bytes] = []

    async def act(_scope: Scope, receive: Receive, _send: Send) -> None:
        bodies.append((await receive())["body"])

    coming: list[Message] = [{"type": "http.request", "body": b"hel", "more_body": True}]
    sent: list[Message] = []

    async def receive() -> Message:
        return coming.pop() if coming else await asyncio.Future()

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": []}
    await ReplayOnConflict(act, body_within_s=0.01)(scope, receive, send)

    assert bodies == []
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]


async def test_an_oversized_body_is_refused_in_words():
    app, bodies = failing(0, Overtaken())

    answer = await post(app, b"x" * (MAX_BODY + 1))

    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert bodies == []


async def test_every_answer_names_its_request():
    app, _ = failing(0, Overtaken())

    first, second = await post(app), await post(app)

    assert first.headers["x-request-id"] != second.headers["x-request-id"]
