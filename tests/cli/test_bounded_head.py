"""A head that is too long is refused in words, and one that never ends is not collected."""

import asyncio

import pytest
from fastapi import FastAPI, Request
from tests.alertmanager.serving import HOST, serving

MOST = 64 * 1024


@pytest.fixture(scope="module")
async def address():
    app = FastAPI()
    app.get("/")(lambda: "here")

    @app.post("/")
    async def count(request: Request) -> int:
        return len(await request.body())

    async with serving(app) as base:
        yield HOST, int(base.rpartition(":")[2])


async def exchange(address, *pieces: bytes) -> bytes:
    """Send pieces, each on its own, and return everything that comes back until the end."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


def request(*headers: bytes, method: bytes = b"GET", target: bytes = b"/") -> bytes:
    lines = [method + b" " + target + b" HTTP/1.1", b"Host: here", b"Connection: close", *headers]
    return b"\r\n".join([*lines, b"", b""])


async def test_a_head_within_the_bound_is_served(address):
    answer = await exchange(address, request(b"X-Long: " + b"x" * (MOST - 200)))

    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_who_offers_to_go_on_as_a_web_socket_is_answered_as_anybody(address):
    upgrade = request(
        b"Connection: Upgrade",
        b"Upgrade: websocket",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    )

    answer = await exchange(address, upgrade)

    assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "too_long",
    [
        request(b"X-Long: " + b"x" * MOST),
        request(*(b"X-%d: 0123456789" % number for number in range(MOST // 10))),
        request(target=b"/" + b"x" * MOST),
    ],
    ids=["one header", "many headers", "the address"],
)
async def test_a_longer_one_is_refused_in_words(address, too_long):
    answer = await exchange(address, too_long)

    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b"application/problem+json" in answer
    assert b'"code":"head_too_large"' in answer


async def test_one_that_never_ends_is_refused_too(address):
    pieces = [request()[:-4] + b"\r\nX-Endless: ", *[b"x" * 65_536] * 20]

    answer = b""
    try:
        answer = await exchange(address, *pieces)
    except ConnectionError:  # hung up while we were still sending
        return

    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b'"code":"head_too_large"' in answer


async def test_the_body_does_not_count(address):
    body = b"x" * (4 * MOST)
    head = request(b"Content-Length: %d" % len(body), method=b"POST")

    answer = await exchange(address, head, body)

    assert answer.endswith(b"%d" % len(body))
