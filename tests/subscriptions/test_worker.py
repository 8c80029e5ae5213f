"""A real worker tells a real receiver what happens to an incident."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests import factories
from tests.receiver import until
from tests.running import drill_settings, running
from tests.subscriptions.arrangements import record

from incident_service.cli.working import open_worker
from incident_service.core.runtime import Runtime
from incident_service.incidents.timeline import EventKind


@asynccontextmanager
async def serving_worker(runtime: Runtime) -> AsyncIterator[None]:
    """Run a worker as its command makes it."""
    stopping = asyncio.Event()
    async with open_worker(runtime, console=None) as worker:
        task = asyncio.create_task(worker.run(stopping))
        try:
            yield
        finally:
            stopping.set()
            await task


async def test_a_worker_delivers_in_order_what_happens(
    transactions, database_url, valkey, receiver
):
    settings = drill_settings(database_url, valkey.url, 60)
    kinds = [EventKind.OPENED, EventKind.PAGED, EventKind.ACKNOWLEDGED, EventKind.RESOLVED]
    async with running(settings, workers=0) as service:
        made = await service.api.post(
            "/v1/webhook-subscriptions", json={"name": "All", "url": receiver.url()}
        )
        async with service.runtime.transactions.open() as tx:
            owned = await factories.make_service(tx, await factories.make_team(tx))
            incident = await factories.make_incident(tx, owned)

        async with serving_worker(service.runtime):
            for kind in kinds:
                async with service.runtime.transactions.open() as tx:
                    await record(tx, incident, kind)
            await until(lambda: len(receiver.heard) >= len(kinds), 30, "the events")

    assert made.status_code == 201
    assert [heard.kind for heard in receiver.heard] == [kind.value for kind in kinds]
    receiver.heard[0].verify(made.json()["secret"])
