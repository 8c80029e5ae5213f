"""Speak to the product's own server byte by byte, as badly behaved clients do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from tests.alertmanager.serving import HOST, serving
from tests.alerts.vectors.table import PATH


class Wire:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()

    async def answer(self) -> tuple[int, bytes]:
        """Read one answer: its status, and its head with its body."""
        async with asyncio.timeout(10):
            head = await self._reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            body = await self._reader.readexactly(int(length or b"0"))
        return int(head.split(b" ", 2)[1]), head + body

    async def is_closed(self) -> bool:
        """Wait for the server to hang up."""
        try:
            async with asyncio.timeout(10):
                return await self._reader.read() == b""
        except ConnectionError:
            return True


Address = tuple[str, int]


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[Address]:
    async with serving(app) as base:
        yield HOST, int(base.rpartition(":")[2])


@asynccontextmanager
async def connected(address: Address) -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_connection(*address)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()


def head(key: str, *headers: str, method: str = "POST", path: str = PATH) -> bytes:
    """The head of a request with the key of a sender."""
    lines = [f"{method} {path} HTTP/1.1", "Host: here", f"Authorization: Bearer {key}", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def request(key: str, body: bytes, *headers: str) -> bytes:
    """A whole request."""
    return head(key, f"Content-Length: {len(body)}", *headers) + body
