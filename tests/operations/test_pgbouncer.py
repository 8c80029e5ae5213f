"""The service behind PgBouncer in session mode, set up as the documents say."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import make_url, text
from tests.api_steps import firing, set_up
from tests.chaos import promises
from tests.conftest import execute
from tests.operations.pooler import documented, pooler
from tests.processes import command, environment_of
from tests.receiver import webhook_receiver
from tests.running import drill_settings, running

from incident_service.core.db import SERVER_SETTINGS, make_engine

pytestmark = pytest.mark.faults
MINUTE_S = 0.4  # level 1 lasts 2 s
SETTINGS = (
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "plan_cache_mode",
)
SET = "SELECT name, setting FROM pg_settings WHERE name = ANY (:names)"


@pytest.fixture
async def pooled_url(
    database_url: str, postgres, run_directory: Path, worker_id: str
) -> AsyncIterator[str]:
    """The test's database, as the service is told of it when PgBouncer is between."""
    name = make_url(database_url).database
    await execute(
        database_url, *documented("sql").replace("incident_service", str(name)).splitlines()
    )
    directory = run_directory / f"pgbouncer-{worker_id}"
    directory.mkdir(exist_ok=True)
    async with pooler(postgres.socket.parent, str(name), directory) as port:
        yield (f"postgresql+asyncpg://postgres@127.0.0.1:{port}/incident_service")


async def test_alerts_are_taken_and_people_are_paged(transactions, pooled_url, valkey, tmp_path):
    names = [f"Disk{number}" for number in range(20)]
    drill = drill_settings(pooled_url, valkey.url, MINUTE_S)
    async with webhook_receiver() as receiver, running(drill, workers=0) as service:
        customer = await set_up(
            service.api,
            [receiver.url("one"), receiver.url("two")],
            bundle=False,
            policy={"exhausted_reminder_minutes": None},
        )
        async with command("worker", environment=environment_of(drill), home=tmp_path) as worker:
            await worker.says("queue.reached")
            answers = await asyncio.gather(*(customer.webhook(firing(name)) for name in names))
            await receiver.expect_titles(names, to="two", within_s=60)
    async with transactions.open() as tx:
        broken = await promises.broken(tx.session)

    assert {answer.status_code for answer in answers} == {202}
    assert broken == []


async def test_the_timeouts_hold(transactions, pooled_url):
    engine = make_engine(pooled_url)
    async with engine.connect() as connection:
        found = await connection.execute(text(SET), {"names": list(SETTINGS)})
        settings = {row.name: row.setting for row in found}
    await engine.dispose()

    assert settings == {name: SERVER_SETTINGS[name] for name in SETTINGS}


async def test_doctor_finds_nothing_wrong_with_it(transactions, pooled_url, shell, valkey):
    _, said = await shell.run("doctor", database_url=pooled_url, redis_url=valkey.url)

    assert "PostgreSQL answers" in said
    assert "the tables are at" in said
