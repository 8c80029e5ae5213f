"""Where processes die while others survive: they share database, Redis and receiver.

The survivors live in this process, under a clock that can be moved: nobody waits for a lease.
Senders and responders try again until they have an answer, as Alertmanager does.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests import factories
from tests.chaos import promises
from tests.chaos.dying import Victims
from tests.chaos.promises import Heard
from tests.chaos.victim import Fate
from tests.chaos.world import World, open_ground
from tests.receiver import WebhookReceiver, webhook_receiver
from tests.stage import SECOND

from incident_service.core.clock import utc_now
from incident_service.core.outbound import Outbound
from incident_service.main import equip
from incident_service.notifications.channels.webhook import WebhookChannel
from incident_service.settings import Settings

SIGKILL = 9
NO_HEADERS: Mapping[str, str] = MappingProxyType({})
# Long enough ago that every job of a test is due for Redis, whose clock cannot be moved.
AGO = timedelta(hours=1)


@dataclass
class Scene:
    """The survivors and their API, the people's receiver, and where victims come from."""

    world: World
    receiver: WebhookReceiver
    graveyard: Victims
    survivor: httpx.AsyncClient
    api_key: str

    async def worker_dies(
        self, work: str, point: str, *, times: int = 1, has_redis: bool = True
    ) -> None:
        """Let a worker live until its death, half a second after the work came due.

        The reconciler gives jobs a second; without Redis it is the reconciler that does the work.
        """
        self.world.clock.now += SECOND * (0.5 if has_redis else 1.5)
        now = self.world.clock().isoformat()
        fate = Fate("worker", work, point, now, times, has_redis)
        async with self.graveyard.begin(fate) as victim:
            assert await victim.death() == (point, SIGKILL)

    async def ask(
        self,
        work: str,
        point: str,
        path: str,
        key: str,
        *,
        headers: Mapping[str, str] = NO_HEADERS,
        **body: Any,
    ) -> httpx.Response:
        """Post to an API that dies meanwhile, and then to one that survived."""
        headers = {"Authorization": f"Bearer {key}", **headers}
        fate = Fate("api", work, point, self.world.clock().isoformat())
        async with self.graveyard.begin(fate) as victim, httpx.AsyncClient(trust_env=False) as api:
            with pytest.raises(httpx.TransportError):
                await api.post(f"{await victim.base_url()}{path}", json=body, headers=headers)
            assert await victim.death() == (point, SIGKILL)
        self.world.clock.advance(seconds=1)
        return await self.survivor.post(path, json=body, headers=headers)

    async def page_first(self) -> None:
        """Have an incident whose first level was paged and told."""
        await self.world.stage.fire("Disk")
        for job in await self.world.due_jobs():
            await self.world.run_job(job)

    async def violations(self) -> list[str]:
        """Let the survivors end what was begun, late and doubled jobs too; see what is wrong."""
        world = self.world
        undone = await world.come_to_rest()
        for key in await world.all_jobs() * 2:
            await world.run_job(key, keep=True)
        heard = [
            Heard(item.key, tuple(incident["id"] for incident in item.page["incidents"]))
            for item in self.receiver.received
        ]
        broken = await world.look(promises.broken)
        return undone + broken + await world.look(promises.misheard, heard)

    def keys(self, name: str) -> set[str]:
        return {item.key for item in self.receiver.all_to(name)}


@asynccontextmanager
async def open_scene(
    settings: Settings, graveyard: Victims, app: FastAPI, *, bundle: bool
) -> AsyncIterator[Scene]:
    """Set the scene; `app` is the survivors' API from now on."""
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(webhook_receiver())
        outbound = Outbound(settings.outbound_allow)
        stack.push_async_callback(outbound.aclose)
        ground = await stack.enter_async_context(
            open_ground(settings.database_url, settings.redis_url)
        )
        world = await ground.make_world(
            WebhookChannel(outbound), now=utc_now() - AGO, address=receiver.url, bundle=bundle
        )
        equip(app, settings, world.transactions)
        async with world.transactions.open() as tx:
            key = await factories.make_api_key(tx, scopes=["admin"])
        survivor = await stack.enter_async_context(
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://survivor")
        )
        yield Scene(world, receiver, graveyard, survivor, key)
