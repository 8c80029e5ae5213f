"""A reader that takes nothing costs a bounded buffer for a bounded time, and holds up nobody."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from tests.incidents.stream.conftest import Station, record, streaming
from tests.samples import sample
from tests.waiting import eventually

from incident_service.core.clock import monotonic_s
from incident_service.incidents.stream.news import Pace
from incident_service.incidents.timeline import EventKind

LARGE = "x" * 400_000
PATIENT = Pace(look_s=0.02, heartbeat_s=0.3, patience_s=60.0, farewell_s=0.2)


@asynccontextmanager
async def stalling(station: Station, url: str) -> AsyncIterator[socket.socket]:
    """Ask for the stream, and never read."""
    host, port = url.removeprefix("http://").split(":")
    with socket.socket() as stalled:
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stalled.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(stalled, (host, int(port)))
        lines = ["GET /v1/incidents/stream HTTP/1.1", f"Host: {host}"]
        lines += [f"{name}: {value}" for name, value in station.headers.items()]
        before = open_streams()
        await loop.sock_sendall(stalled, "\r\n".join([*lines, "", ""]).encode())

        async def is_open() -> bool:
            return open_streams() > before

        await eventually(is_open, "the stream")
        yield stalled


def open_streams() -> float:
    return sample("incident_streams") or 0.0


def ended_slowly() -> float:
    return sample("incident_streams_ended_total", reason="reader_slow") or 0.0


async def happen_much(station: Station) -> None:
    incident = await station.incident()
    for _ in range(30):
        async with station.transactions.open() as tx:
            await record(tx, incident, EventKind.NOTED, text=LARGE)


async def test_who_takes_nothing_is_dropped_and_others_hear_on(station):
    before = ended_slowly()
    async with stalling(station, station.url), station.listening() as reader:
        await happen_much(station)
        await reader.hears(30)

        async def is_dropped() -> bool:
            return ended_slowly() == before + 1

        await eventually(is_dropped, "the end of patience")


async def test_who_takes_nothing_does_not_hold_up_the_end_of_the_server(station, app, transactions):
    async with AsyncExitStack() as until_after_the_server:
        async with streaming(app, transactions, PATIENT) as url:
            await until_after_the_server.enter_async_context(stalling(station, url))
            await happen_much(station)
            began_s = monotonic_s()
        took_s = monotonic_s() - began_s

    assert took_s < 5


async def test_who_goes_away_leaves_nothing_behind(station):
    async with station.listening():
        assert open_streams() == 1

    async def is_over() -> bool:
        return open_streams() == 0

    await eventually(is_over, "the end of the stream")
