"""P7 with real processes: `kill -9` in the middle of it, and what was committed goes on."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import httpx
import pytest
from tests import factories
from tests.api_steps import Customer, firing, set_up
from tests.processes import Command, command, environment_of
from tests.receiver import WebhookReceiver, until, webhook_receiver
from tests.running import drill_settings

from incident_service.core.db import Transactions

pytestmark = pytest.mark.faults  # P7 in real seconds

MINUTE_S = 0.4  # level 1 lasts 2 s
ALERTS = 20


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with webhook_receiver() as receiver:
        yield receiver


@pytest.fixture
def drill(database_url, valkey) -> dict[str, str]:
    return environment_of(drill_settings(database_url, valkey.url, MINUTE_S))


@pytest.fixture
async def api_key(transactions: Transactions) -> str:
    async with transactions.open() as tx:
        return await factories.make_api_key(tx, scopes=["admin"])


@asynccontextmanager
async def serving(
    environment: dict[str, str], api_key: str, home: Path
) -> AsyncIterator[tuple[Command, httpx.AsyncClient]]:
    """An API process, and a client of it with an admin key."""
    anywhere = environment | {"INCIDENT_SERVICE_PORT": "0"}
    headers = {"Authorization": f"Bearer {api_key}"}
    async with command("api", environment=anywhere, home=home) as api:
        port = json.loads(await api.says('"api.starts"'))["port"]
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers=headers, trust_env=False
        ) as client:
            yield api, client


def pages(receiver: WebhookReceiver, name: str) -> Counter[str]:
    """Count the pages to a path by title; attempts with the same key are one page."""
    by_key = {item.key: item.titles for item in receiver.to(name)}
    return Counter(title for titles in by_key.values() for title in titles)


async def test_p7_another_worker_goes_on_where_one_was_killed(drill, api_key, receiver, tmp_path):
    async with serving(drill, api_key, tmp_path) as (_, api):
        customer = await set_up(api, [receiver.url("one"), receiver.url("two")])
        async with command("worker", environment=drill, home=tmp_path) as worker:
            await customer.webhook(firing("Disk"))
            await receiver.expect(1, to="one")
            worker.kill()
        async with command("worker", environment=drill, home=tmp_path):
            await receiver.expect(1, to="two")

    assert pages(receiver, "one") == pages(receiver, "two") == {"Disk": 1}


async def test_p7_what_a_killed_api_answered_with_202_is_there(drill, api_key, receiver, tmp_path):
    answered: list[str] = []
    names = (f"Disk{number}" for number in count())

    async def keep_sending(customer: Customer) -> None:
        for name in names:
            try:
                answer = await customer.webhook(firing(name))
            except httpx.TransportError:
                return
            if answer.status_code == 202:
                answered.append(name)

    async with serving(drill, api_key, tmp_path) as (process, api):
        customer = await set_up(api, [receiver.url("one")])
        async with asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(keep_sending(customer))
            await until(lambda: len(answered) >= ALERTS, 30, "answers")
            process.kill()
    async with serving(drill, api_key, tmp_path) as (_, api):
        customer.api = api
        again = await customer.webhook(*map(firing, answered))
        titles = Counter([incident["title"] for incident in await customer.incidents()])

    assert {row["outcome"] for row in again.json()["results"]} == {"repeated"}
    assert set(answered) <= set(titles)
    assert set(titles.values()) == {1}
