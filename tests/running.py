"""The service as it really runs: API, arq worker, reconciler, real clock, real Valkey."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from tests import factories
from tests.apps import lent

from incident_service.core.clock import DatabaseClock
from incident_service.core.outbound import Outbound
from incident_service.core.runtime import Runtime, open_runtime
from incident_service.notifications.answer_links import make_links
from incident_service.notifications.channels import make_channels
from incident_service.notifications.channels.secrets import secrets_of
from incident_service.notifications.delivery import Courier
from incident_service.settings import Settings
from incident_service.worker import Worker


@dataclass
class Service:
    """A running service, and a client of its API with an admin key."""

    settings: Settings
    runtime: Runtime
    api: httpx.AsyncClient
    workers: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def start_worker(self) -> None:
        await self.workers.enter_async_context(working(self.runtime))

    async def stop_workers(self) -> None:
        await self.workers.aclose()
        self.workers = AsyncExitStack()


def drill_settings(database_url: str, redis_url: str, minute_s: float, **others: Any) -> Settings:
    return Settings(
        _env_file=None,
        database_url=database_url,
        redis_url=redis_url,
        escalation_minute_seconds=minute_s,
        outbound_allow="127.0.0.0/8",
        api_requests_per_second=0,
        **others,
    )


@asynccontextmanager
async def running(
    settings: Settings, *, workers: int = 1, clock: DatabaseClock | None = None
) -> AsyncIterator[Service]:
    """Start the service; what it wrote is removed by the `transactions` fixture."""
    async with open_runtime(settings, clock) as runtime:
        async with runtime.transactions.open() as tx:
            key = await factories.make_api_key(tx, scopes=["admin"])
        with lent(settings, runtime.transactions) as app:
            client = httpx.AsyncClient(
                transport=httpx.ASGITransport(app),
                base_url="http://test",
                headers={"Authorization": f"Bearer {key}"},
            )
            async with client:
                service = Service(settings, runtime, client)
                for _ in range(workers):
                    await service.start_worker()
                try:
                    yield service
                finally:
                    await service.stop_workers()


@asynccontextmanager
async def working(runtime: Runtime) -> AsyncIterator[None]:
    """Run a worker as its process does."""
    outbound = Outbound(runtime.settings.outbound_allow)
    channels = make_channels(runtime.settings, outbound)
    courier = Courier(
        runtime.transactions,
        channels,
        runtime.settings.base_url,
        links=make_links(runtime.settings),
        secrets=secrets_of(runtime.settings),
    )
    stopping = asyncio.Event()
    task = asyncio.create_task(Worker(runtime, courier).run(stopping))
    try:
        yield
    finally:
        stopping.set()
        await task
        await outbound.aclose()
