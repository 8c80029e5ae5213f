"""Several API and worker processes, replaced one by one while senders go on."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from pathlib import Path

import httpx
from tests.api_steps import firing
from tests.processes import Command, command

from incident_service.core.stopping import stops_within

AGAIN_S = 0.1


class Fleet:
    """The processes that run, by their place; `ports` are those of the APIs."""

    def __init__(self, environment: dict[str, str], home: Path) -> None:
        self.environment = environment | {"INCIDENT_SERVICE_PORT": "0"}
        self.home = home
        self.ports: dict[str, int] = {}
        self.codes: list[int] = []
        self._processes: dict[str, Command] = {}
        self._stack = AsyncExitStack()

    async def start(self, place: str) -> None:
        """Start a process at a place like `api-1` or `worker-2`; return when it is at work."""
        kind = place.partition("-")[0]
        process = await self._stack.enter_async_context(
            command(kind, environment=self.environment, home=self.home)
        )
        self._processes[place] = process
        if kind == "api":
            port = json.loads(await process.says('"api.starts"'))["port"]
            await process.says("start.prepared")
            self.ports[place] = port
        else:
            await process.says("queue.reached")

    async def replace(self, place: str) -> None:
        """Stop the process at a place as an upgrade does, and start another one there."""
        process = self._processes[place]
        process.terminate()
        self.codes.append(await process.exit_code(within_s=30))
        self.ports.pop(place, None)
        await self.start(place)

    async def aclose(self) -> None:
        await self._stack.aclose()


@asynccontextmanager
async def fleet(environment: dict[str, str], home: Path, *places: str) -> AsyncIterator[Fleet]:
    running = Fleet(environment, home)
    try:
        await asyncio.gather(*map(running.start, places))
        yield running
    finally:
        await running.aclose()


class Senders:
    """Alertmanagers: each alert is sent again, to any API, until it is answered with 202."""

    def __init__(self, fleet: Fleet, key: str) -> None:
        self.answered: list[str] = []
        self.refused: list[int] = []
        self._fleet = fleet
        self._headers = {"Authorization": f"Bearer {key}"}
        self._names = (f"Disk{number}" for number in count())

    @asynccontextmanager
    async def sending(self, senders: int, pause_s: float) -> AsyncIterator[None]:
        """Send for as long as the block lasts, and end what was begun."""
        enough = asyncio.Event()
        async with (
            httpx.AsyncClient(trust_env=False, timeout=15) as client,
            asyncio.TaskGroup() as group,
        ):
            for _ in range(senders):
                group.create_task(self._send(client, enough, pause_s))
            yield
            enough.set()

    async def _send(self, client: httpx.AsyncClient, enough: asyncio.Event, pause_s: float) -> None:
        while not await stops_within(enough, pause_s):
            name = next(self._names)
            for attempt in count():
                if await self._is_taken(client, name, attempt):
                    self.answered.append(name)
                    break
                await stops_within(asyncio.Event(), AGAIN_S)

    async def _is_taken(self, client: httpx.AsyncClient, name: str, attempt: int) -> bool:
        ports = sorted(self._fleet.ports.values())
        port = ports[attempt % len(ports)]
        try:
            answer = await client.post(
                f"http://127.0.0.1:{port}/v1/ingest/alertmanager",
                json={"version": "4", "groupLabels": {}, "alerts": [firing(name)]},
                headers=self._headers,
            )
        except httpx.TransportError:
            return False
        if answer.status_code != 202:
            self.refused.append(answer.status_code)
        return answer.status_code == 202
