"""A network between the service and its servers that can be slow, frozen or cut."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

CHUNK_BYTES = 65536


class Relay:
    """Passes connections on to a unix socket, as the network lets it.

    `delay_s` holds every answer back for so long. While it is frozen nothing moves, and nobody is
    told. `cut` ends all connections; new ones may come.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._moves = asyncio.Event()
        self._moves.set()
        self._connections: set[asyncio.Task[None]] = set()
        self.delay_s = 0.0
        self.port = 0

    def freeze(self) -> None:
        self._moves.clear()

    def thaw(self) -> None:
        self._moves.set()

    async def cut(self) -> None:
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection is not None
        self._connections.add(connection)
        try:
            with suppress(OSError, asyncio.CancelledError):
                await self._connect(reader, writer)
        finally:
            self._connections.discard(connection)
            writer.transport.abort()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, server = await asyncio.open_unix_connection(str(self._path))
        directions = [
            asyncio.create_task(self._pass_on(reader, server)),
            asyncio.create_task(self._pass_on(answers, writer, delayed=True)),
        ]
        try:
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for direction in directions:
                direction.cancel()
            await asyncio.gather(*directions, return_exceptions=True)
            server.transport.abort()

    async def _pass_on(
        self, source: asyncio.StreamReader, to: asyncio.StreamWriter, *, delayed: bool = False
    ) -> None:
        while chunk := await source.read(CHUNK_BYTES):
            if delayed and self.delay_s:
                await self._hold_back()
            await self._moves.wait()
            to.write(chunk)
            await to.drain()

    async def _hold_back(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), self.delay_s)


@asynccontextmanager
async def relay(path: Path) -> AsyncIterator[Relay]:
    """Listen on a port of loopback, `Relay.port`."""
    between = Relay(path)
    server = await asyncio.start_server(between.accept, "127.0.0.1", 0)
    between.port = server.sockets[0].getsockname()[1]
    try:
        yield between
    finally:
        server.close()
        await between.cut()
