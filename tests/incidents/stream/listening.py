"""A reader of the stream over a real connection, as a tool would be one."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from tests.incidents.stream.sse import Event, Parser
from tests.waiting import eventually


class Listener:
    """What a reader has heard; `has_ended` when the server has closed the stream properly."""

    def __init__(self) -> None:
        self.parser = Parser()
        self.events: list[Event] = []
        self.headers = httpx.Headers()
        self.status = 0
        self.has_begun = asyncio.Event()
        self.has_ended = False
        self.was_cut = False

    @property
    def data(self) -> list[dict[str, Any]]:
        return [json.loads(event.data) for event in self.events]

    @property
    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]

    @property
    def sequences(self) -> list[tuple[str, int]]:
        return [(each["incident"]["title"], each["sequence"]) for each in self.data]

    async def hears(self, count: int) -> None:
        """Wait for so many events in all."""

        async def is_so() -> bool:
            return len(self.events) >= count

        await eventually(is_so, f"{count} events, have {self.kinds}")

    async def beats(self, count: int) -> None:
        """Wait for so many heartbeats in all."""

        async def is_so() -> bool:
            return self.parser.comments.count("alive") >= count

        await eventually(is_so, f"{count} heartbeats")

    async def ends(self, within_s: float = 25) -> None:
        async def is_so() -> bool:
            return self.has_ended or self.was_cut

        await eventually(is_so, "the end of the stream", within_s=within_s)

    async def run(self, client: httpx.AsyncClient, url: str, **request: Any) -> None:
        try:
            async with client.stream("GET", url, **request) as answer:
                self.status, self.headers = answer.status_code, answer.headers
                async for line in answer.aiter_lines():
                    self.events += self.parser.take(line)
                    if self.parser.last_id:
                        self.has_begun.set()
            self.has_ended = True
        except httpx.TransportError:
            self.was_cut = True


@asynccontextmanager
async def listening(
    base_url: str,
    headers: dict[str, str],
    *,
    after: str | None = None,
    **params: Any,
) -> AsyncIterator[Listener]:
    """Listen from the beginning of the block, with all that is committed in it, to its end."""
    listener = Listener()
    more = {"Last-Event-ID": after} if after else {}
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        url = f"{base_url}/v1/incidents/stream"
        task = asyncio.create_task(listener.run(client, url, headers=headers | more, params=params))
        try:
            async with asyncio.timeout(25):
                await listener.has_begun.wait()
            yield listener
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
