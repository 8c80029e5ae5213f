"""The processes of the service, each brought back when it dies, as a supervisor does."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
from benchmarks.chaos.plan import PLACES
from tests.processes import Command, command

from incident_service.core.stopping import stops_within

AGAIN_S = 1.0
READY_WITHIN_S = 60.0


FAILED = "request.failed"
MOST_FAILURES = 5


class Fleet:
    """Two APIs at ports of their own, and two workers."""

    def __init__(self, environment: dict[str, str], home: Path) -> None:
        self._environment = environment
        self._home = home
        self.ports = {place: free_port() for place in PLACES if place.startswith("api")}
        self._running: dict[str, tuple[int, Command]] = {}
        self._frozen: set[int] = set()
        self.deaths = 0

    def urls(self) -> list[str]:
        """Return where the APIs are, whether they are up or not."""
        return [f"http://127.0.0.1:{port}" for port in self.ports.values()]

    async def supervise(self, place: str, stopping: asyncio.Event) -> None:
        """Keep a process at its place."""
        environment = dict(self._environment)
        if place in self.ports:
            environment["INCIDENT_SERVICE_PORT"] = str(self.ports[place])
        kind = place.partition("-")[0]
        while not stopping.is_set():
            async with command(kind, environment=environment, home=self._home) as process:
                self._running[place] = (process.pid, process)
                ended = asyncio.create_task(process.exit_code(within_s=86_400))
                told = asyncio.create_task(stopping.wait())
                await asyncio.wait({ended, told}, return_when=asyncio.FIRST_COMPLETED)
                told.cancel()
                if not stopping.is_set():
                    self.deaths += 1
                    self._log(place, process)
                else:
                    process.terminate()
                await ended
            await stops_within(stopping, AGAIN_S)

    def _log(self, place: str, process: Command) -> None:
        with (self._home / f"{place}.log").open("a") as file:
            file.write(process.text + "\n")

    def failures(self) -> list[str]:
        """Return what the processes that run say of requests that failed inside."""
        lines = [line for _, process in self._running.values() for line in process.lines]
        return [line for line in lines if FAILED in line][-MOST_FAILURES:]

    def kill(self, place: str) -> None:
        """End a process as `kill -9` does."""
        self._running[place][1].kill()

    async def freeze(self, place: str, seconds: float, stopping: asyncio.Event) -> None:
        """Stop a process for a while, as a machine does that swaps or is moved."""
        pid = self._running[place][0]
        send(pid, signal.SIGSTOP)
        await stops_within(stopping, seconds)
        send(pid, signal.SIGCONT)

    async def until_ready(self) -> None:
        """Wait until each API can store alerts."""
        async with (
            httpx.AsyncClient(trust_env=False, timeout=5) as client,
            asyncio.timeout(READY_WITHIN_S),
        ):
            for url in self.urls():
                while not await is_ready(client, url):
                    await stops_within(asyncio.Event(), 0.2)


async def is_ready(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(f"{url}/readyz")).is_success
    except httpx.TransportError:
        return False


def send(pid: int, signal_number: signal.Signals) -> None:
    """Signal a process that may be gone."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal_number)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@asynccontextmanager
async def fleet(environment: dict[str, str], home: Path) -> AsyncIterator[Fleet]:
    """Run all of them while the block lasts."""
    running = Fleet(environment, home)
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for place in PLACES:
            group.create_task(running.supervise(place, stopping))
        try:
            await running.until_ready()
            yield running
        except BaseException:
            print(*running.failures(), sep="\n", file=sys.stderr)
            raise
        finally:
            stopping.set()
