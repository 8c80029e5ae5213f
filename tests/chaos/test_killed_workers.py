"""Workers are killed again and again while they deliver; no page comes under two keys."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable

import pytest
from sqlalchemy import text
from tests.api_steps import firing, set_up
from tests.chaos import promises
from tests.processes import command, environment_of
from tests.receiver import Received, WebhookReceiver, until, webhook_receiver
from tests.running import running

from incident_service.core.db import Transactions
from incident_service.core.stopping import stops_within
from incident_service.notifications.claim import LEASE

pytestmark = pytest.mark.faults

ALERTS = 20
UNSENT = "SELECT count(*) FROM notifications WHERE status IN ('pending', 'sending')"


@pytest.fixture
def bundle() -> bool:
    """A page for each incident."""
    return False


def keys_by_title(received: Iterable[Received]) -> dict[str, set[str]]:
    keys = defaultdict(set)
    for item in received:
        for title in item.titles:
            keys[title].add(item.key)
    return keys


async def test_workers_that_die_while_they_send_page_under_one_key(scene):
    await scene.world.stage.fire(*(f"Disk{number}" for number in range(ALERTS)))

    for _ in range(5):
        await scene.worker_dies("claim", "after_send", times=4)
        scene.world.clock.now += LEASE
    violations = await scene.violations()

    keys = keys_by_title(scene.receiver.to("First"))
    assert violations == []
    assert [len(of_title) for of_title in keys.values()] == [1] * ALERTS
    assert len(scene.receiver.to("First")) >= ALERTS + 5  # what was sent and not recorded, again


async def next_page(receiver: WebhookReceiver) -> None:
    """Wait for a page about an incident that was not told of before."""
    before = len(keys_by_title(receiver.received))
    await until(lambda: len(keys_by_title(receiver.received)) > before, 60, "the next page")


async def until_all_is_sent(transactions: Transactions) -> None:
    never = asyncio.Event()
    async with asyncio.timeout(90):
        while not await stops_within(never, 0.2):
            async with transactions.open() as tx:
                if not await tx.session.scalar(text(UNSENT)):
                    return


async def test_real_workers_that_are_killed_page_under_one_key(transactions, drill, tmp_path):
    environment = environment_of(drill)
    names = [f"Disk{number}" for number in range(ALERTS)]

    async with webhook_receiver() as receiver, running(drill, workers=0) as service:
        customer = await set_up(service.api, [receiver.url("one")], bundle=False)
        for first in range(0, ALERTS, 5):
            await customer.webhook(*map(firing, names[first : first + 5]))
            async with command("worker", environment=environment, home=tmp_path) as worker:
                await next_page(receiver)
                worker.kill()
        async with command("worker", environment=environment, home=tmp_path):
            await until_all_is_sent(transactions)
    async with transactions.open() as tx:
        violations = await promises.broken(tx.session)

    keys = keys_by_title(receiver.received)
    assert violations == []
    assert {title: len(of_title) for title, of_title in keys.items()} == dict.fromkeys(names, 1)
