"""Redis is slow, full, killed, or restored from long ago: pages are late by seconds, and once."""

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator

import pytest
from arq.connections import ArqRedis
from tests.api_steps import Customer, firing, set_up
from tests.outages.conftest import kill
from tests.receiver import WebhookReceiver, until, webhook_receiver
from tests.running import Service, drill_settings, running

from incident_service.core.clock import monotonic_s, utc_now
from incident_service.core.ids import new_id
from incident_service.core.queue import Job, QueueDown, make_redis
from incident_service.core.stopping import stops_within

pytestmark = pytest.mark.faults

MINUTE_S = 0.4  # level 1 lasts 2 s


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with webhook_receiver() as receiver:
        yield receiver


@pytest.fixture
async def service(transactions, database_url, to_valkey) -> AsyncIterator[Service]:
    redis_url = f"redis://127.0.0.1:{to_valkey.port}"
    async with running(drill_settings(database_url, redis_url, MINUTE_S)) as service:
        yield service


@pytest.fixture
async def customer(service: Service, receiver: WebhookReceiver) -> Customer:
    return await set_up(
        service.api,
        [receiver.url("one"), receiver.url("two")],
        bundle=False,
        policy={"exhausted_reminder_minutes": None},  # a slow test is no reason to page again
    )


@pytest.fixture
async def redis(own_valkey) -> AsyncIterator[ArqRedis]:
    """A way past the network that fails."""
    redis = make_redis(own_valkey.url)
    yield redis
    await redis.aclose(close_connection_pool=True)


async def has_climbed(receiver: WebhookReceiver, title: str) -> None:
    await receiver.expect_titles([title], to="one", within_s=20)
    await receiver.expect_titles([title], to="two", within_s=30)


def times_told(receiver: WebhookReceiver, title: str) -> int:
    pages = [item for item in receiver.received if not item.is_update]
    return len({item.key for item in pages if title in item.titles})


async def test_answers_that_take_five_seconds_delay_no_webhook(customer, receiver, to_valkey):
    to_valkey.delay_s = 5.0

    began_s = monotonic_s()
    answer = await customer.webhook(firing("Disk"))
    took_s = monotonic_s() - began_s
    await has_climbed(receiver, "Disk")

    assert answer.status_code == 202
    assert took_s < 5
    assert times_told(receiver, "Disk") == 2


async def test_a_full_redis_takes_no_jobs_and_the_climb_goes_on(customer, receiver, redis):
    await redis.config_set("maxmemory", "1")

    answer = await customer.webhook(firing("Disk"))
    await has_climbed(receiver, "Disk")

    assert answer.status_code == 202
    assert times_told(receiver, "Disk") == 2


async def test_arq_comes_back_by_itself_after_redis_was_killed(service, own_valkey, redis):
    kill(own_valkey, signal.SIGKILL)

    # Only arq's own worker can have seen this job and put it off.
    await give_job(service, "of_a_later_release")
    await put_off(redis, "of_a_later_release")


async def give_job(service: Service, key: str) -> None:
    job = Job(key, (str(new_id()),), key, utc_now())
    async with asyncio.timeout(40):
        while True:
            try:
                await service.runtime.queue.restore([job])
            except QueueDown:
                await stops_within(asyncio.Event(), 0.05)
            else:
                return


async def put_off(redis: ArqRedis, key: str) -> None:
    began = utc_now().timestamp() * 1000
    async with asyncio.timeout(40):
        while (await redis.zscore("arq:queue", key) or 0) < began + 5_000:
            await stops_within(asyncio.Event(), 0.05)


async def test_jobs_of_long_ago_do_nothing_again(
    service, customer, receiver, own_valkey, redis, tmp_path
):
    await customer.webhook(firing("Disk"))
    await receiver.expect_titles(["Disk"], to="one")
    snapshot = tmp_path / "snapshot"
    await asyncio.to_thread(shutil.copytree, own_valkey.directory / "appendonlydir", snapshot)
    await receiver.expect_titles(["Disk"], to="two", within_s=20)

    await asyncio.to_thread(own_valkey.stop)
    shutil.rmtree(own_valkey.directory / "appendonlydir")
    await asyncio.to_thread(shutil.copytree, snapshot, own_valkey.directory / "appendonlydir")
    await asyncio.to_thread(own_valkey.start)
    (incident,) = await customer.incidents()
    await customer.do("acknowledge", incident["id"])
    told = times_told(receiver, "Disk")
    await customer.webhook(firing("Memory"))
    await has_climbed(receiver, "Memory")

    assert times_told(receiver, "Disk") == told
    await until(lambda: times_told(receiver, "Memory") == 2, 5, "Memory to be told twice")
