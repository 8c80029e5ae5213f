"""Ready is who can commit an alert; everything else that is wrong is shown as degraded."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import update
from tests import factories
from tests.core.test_sealing import NEW, OLD, with_keys
from tests.running import drill_settings

from incident_service.core.clock import DatabaseClock, utc_now
from incident_service.core.ids import new_id
from incident_service.core.runtime import open_runtime
from incident_service.escalation.models import EscalationJob
from incident_service.heartbeat.models import Canary
from incident_service.main import create_serving_app
from incident_service.settings import Settings


@asynccontextmanager
async def asking(
    settings: Settings, clock: DatabaseClock | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    async with open_runtime(settings, clock) as runtime:
        transport = httpx.ASGITransport(create_serving_app(runtime))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            yield client


async def degraded(client: httpx.AsyncClient) -> set[str]:
    answer = await client.get("/readyz")
    assert answer.status_code == 200
    return {each["code"] for each in answer.json()["degraded"]}


@pytest.fixture
async def canary(transactions) -> None:
    """One that has just come through."""
    now = utc_now()
    async with transactions.open() as tx:
        tx.session.add(Canary(id=new_id(), due_at=now, created_at=now, recorded_at=now))


@pytest.fixture
def settings(database_url, valkey) -> Settings:
    return drill_settings(database_url, valkey.url, 60)


async def test_nothing_is_degraded_while_all_is_well(settings, canary):
    async with asking(settings) as client:
        assert await degraded(client) == set()


async def test_without_redis_it_is_ready_and_degraded(settings, canary):
    away = settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})

    async with asking(away) as client:
        assert await degraded(client) == {"queue_down"}


async def test_a_reconciler_that_lags_is_seen_by_what_is_overdue(settings, canary, stage):
    await stage.fire("Disk")
    async with stage.transactions.open() as tx:
        late = {"scheduled_for": utc_now() - timedelta(minutes=1)}
        await tx.session.execute(update(EscalationJob).values(late))

    async with asking(settings) as client:
        assert await degraded(client) == {"overdue"}


async def test_workers_that_stand_still_are_seen_by_the_stale_canary(settings, transactions):
    async with asking(settings) as client:
        assert await degraded(client) == {"canary_stale"}


@pytest.mark.parametrize("minutes", [-5, 5])
async def test_a_clock_that_is_minutes_off_is_seen(settings, canary, minutes):
    wrong = DatabaseClock(lambda: utc_now() + timedelta(minutes=minutes))

    async with asking(settings, wrong) as client:
        assert await degraded(client) == {"clock_offset"}


@pytest.mark.parametrize(
    "keys", [{}, {"sealing_key": SecretStr(NEW)}], ids=["no key", "another key"]
)
async def test_addresses_that_no_key_opens_are_seen(settings, canary, database_url, keys):
    async with with_keys(database_url, [OLD]) as sealing, sealing.open() as tx:
        await factories.make_user(tx)

    async with asking(settings.model_copy(update=keys)) as client:
        assert await degraded(client) == {"addresses_unreadable"}


async def test_addresses_that_an_earlier_key_opens_are_fine(settings, canary, database_url):
    async with with_keys(database_url, [OLD]) as sealing, sealing.open() as tx:
        await factories.make_user(tx)
    both = {"sealing_key": SecretStr(f"{NEW},{OLD}")}

    async with asking(settings.model_copy(update=both)) as client:
        assert await degraded(client) == set()


async def test_without_postgresql_it_is_not_ready_and_says_so_in_time():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"postgresql+asyncpg://nobody@127.0.0.1:{silent.getsockname()[1]}/nothing"
        async with asking(drill_settings(url, "redis://127.0.0.1:1/0", 60)) as client:
            answer = await client.get("/readyz", timeout=10)
            alive = await client.get("/livez")

    assert answer.status_code == 503
    assert answer.json()["detail"] == "the database does not answer in time"
    assert alive.status_code == 200
