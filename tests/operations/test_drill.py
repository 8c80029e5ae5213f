"""The drill: a machine is lost, and its backup goes on where it was made."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select
from tests import factories
from tests.chaos import promises
from tests.fakes import FrozenClock, RememberingQueue
from tests.operations.conftest import start_migrated
from tests.stage import Stage

from incident_service.core.db import Transactions, make_engine, make_sessions
from incident_service.embedded import EmbeddedPostgres
from incident_service.incidents.models import Incident
from incident_service.main import create_app
from incident_service.settings import Settings

pytestmark = pytest.mark.faults

ABSENCE_H = 5  # longer than the whole climb takes


@asynccontextmanager
async def at_work(url: str, clock: FrozenClock) -> AsyncIterator[Transactions]:
    """The transactions of an API or a worker."""
    engine = make_engine(url, pool_size=4)
    try:
        yield Transactions(make_sessions(engine), RememberingQueue(), clock)
    finally:
        await engine.dispose()


def by_title(incidents: list[Incident]) -> dict[str, Incident]:
    return {incident.title.split()[0]: incident for incident in incidents}


async def backed_up(shell, data_dir: Path, clock: FrozenClock) -> tuple[Path, Stage, str]:
    """Work, back up, work on, and lose the machine; return the dump, the cast and an API key."""
    server = await start_migrated(data_dir)
    async with at_work(server.url, clock) as transactions:
        stage = await Stage(transactions, clock).set_up(policy={"repeat_count": 3})
        async with transactions.open() as tx:
            key = await factories.make_api_key(tx, scopes=["admin"])
        await stage.fire("Disk", "Memory", "Network")
        await stage.do("acknowledge", by_title(await stage.incidents())["Network"])
        code, said = await shell.run("backup", "kept.dump", data_dir=data_dir)
        assert code == 0, said

        await stage.fire("Later")
        await stage.clear("Disk")
        await stage.wait(6)
    await asyncio.to_thread(server.stop)
    shutil.rmtree(data_dir)
    return shell.home / "kept.dump", stage, key


async def test_what_was_backed_up_climbs_on_by_one_step_each(shell, data_dir, clock):
    dump, stage, key = await backed_up(shell, data_dir, clock)

    code, said = await shell.run("restore", dump, data_dir=data_dir)
    assert code == 0, said
    clock.advance(hours=ABSENCE_H)
    with EmbeddedPostgres(data_dir) as server:
        async with at_work(server.url, clock) as transactions:
            stage.transactions = transactions
            for _ in range(3):
                await stage.reconcile()
            incidents = by_title(await stage.incidents())
            told = {title: await stage.told(incident) for title, incident in incidents.items()}
            async with transactions.open() as tx:
                broken = await promises.broken(tx.session)
            answer = await ask_api(transactions, key)

    assert told == {
        "Disk": ["First", "Second"],
        "Memory": ["First", "Second"],
        "Network": ["First"],
    }
    assert broken == []
    assert answer.status_code == 200


async def ask_api(transactions: Transactions, key: str) -> httpx.Response:
    app = create_app(Settings(_env_file=None), transactions)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://test"
    ) as client:
        return await client.get("/v1/incidents", headers={"Authorization": f"Bearer {key}"})


async def test_numbers_go_on_after_a_restore(shell, data_dir, clock):
    dump, stage, _ = await backed_up(shell, data_dir, clock)
    await shell.run("restore", dump, data_dir=data_dir)

    with EmbeddedPostgres(data_dir) as server:
        async with at_work(server.url, clock) as transactions:
            stage.transactions = transactions
            await stage.fire("New")
            numbers = await stage.rows(select(Incident.number).order_by(Incident.number))

    assert numbers == [1, 2, 3, 4]
