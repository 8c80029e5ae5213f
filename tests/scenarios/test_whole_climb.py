"""The whole path with nothing left out: HTTP in, arq, real Valkey, real clock, webhooks out.

A policy's minute lasts a fraction of a second here.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from itertools import pairwise

import pytest
from arq.connections import ArqRedis
from tests.api_steps import Customer, firing, resolved, set_up
from tests.receiver import until, webhook_receiver
from tests.running import drill_settings, running

from incident_service.core.queue import make_redis
from incident_service.embedded import EmbeddedValkey

MINUTE_S = 0.2


@pytest.fixture
async def redis(valkey: EmbeddedValkey) -> AsyncIterator[ArqRedis]:
    redis = make_redis(valkey.url)
    yield redis
    await redis.flushdb()
    await redis.aclose(close_connection_pool=True)


async def queued(redis: ArqRedis) -> set[str]:
    """Return the keys of the jobs of incidents, without the canary's."""
    keys = {key.decode() for key in await redis.zrange("arq:queue", 0, -1)}
    return {key for key in keys if not key.startswith("canary:")}


async def test_nobody_answers_until_somebody_does(transactions, database_url, valkey, redis):
    settings = drill_settings(database_url, valkey.url, MINUTE_S)
    async with webhook_receiver() as receiver, running(settings) as service:
        customer = await set_up(
            service.api,
            [receiver.url("one"), receiver.url("two")],
            bundle=False,
            policy={"repeat_count": 2},
        )

        answer = await customer.webhook(firing("Disk"))
        await receiver.expect(1, to="one")
        await receiver.expect(1, to="two")
        first, second = await receiver.expect(2, to="one")
        (incident,) = await customer.incidents()
        acknowledged = await customer.do("acknowledge", incident["id"])
        jobs = await customer.of(incident["id"], "escalation-jobs")

        assert answer.json()["results"][0]["outcome"] == "opened"
        assert first.key != second.key
        assert await climbed_on_time(customer, incident["id"])
        assert acknowledged.json()["incident"]["status"] == "ACKNOWLEDGED"
        assert jobs[-1]["cancelled_at"] is not None
        assert jobs[-1]["arq_job_id"] not in await queued(redis)

        await customer.webhook(resolved("Disk"))
        (incident,) = await customer.incidents()
        assert incident["status"] == "RESOLVED"
        assert len(receiver.to("two")) <= 1


async def climbed_on_time(customer: Customer, incident_id: str) -> bool:
    """No level before its time."""
    timeline = await customer.of(incident_id, "timeline")
    paged = [event for event in timeline if event["kind"] == "paged"]
    return all(
        datetime.fromisoformat(after["at"]) >= datetime.fromisoformat(before["data"]["next_at"])
        for before, after in pairwise(paged)
    )


async def test_the_next_step_waits_in_the_queue_under_its_own_id(
    transactions, database_url, valkey, redis
):
    settings = drill_settings(database_url, valkey.url, 60)
    async with webhook_receiver() as receiver, running(settings) as service:
        customer = await set_up(service.api, [receiver.url("one"), receiver.url("two")])
        await customer.webhook(firing("Disk"))
        await receiver.expect(1, to="one")
        (incident,) = await customer.incidents()
        *_, pending = await customer.of(incident["id"], "escalation-jobs")
        before = await queued(redis)

        await customer.do("acknowledge", incident["id"])

        assert pending["arq_job_id"] in before
        assert pending["arq_job_id"] not in await queued(redis)


async def test_70_fifty_alerts_are_one_page(transactions, database_url, valkey, redis):
    settings = drill_settings(database_url, valkey.url, 60)
    async with webhook_receiver() as receiver, running(settings) as service:
        customer = await set_up(service.api, [receiver.url("one")])

        await customer.webhook(*(firing(f"Disk{number}") for number in range(50)))
        (page,) = await receiver.expect(1, to="one")

        assert len(set(page.titles)) == 50
        assert page.page["type"] == "page"


async def test_the_climb_goes_on_without_redis(transactions, database_url, run_directory):
    settings = drill_settings(database_url, f"unix://{run_directory}/nowhere.sock", MINUTE_S)
    async with webhook_receiver() as receiver, running(settings) as service:
        customer = await set_up(service.api, [receiver.url("one"), receiver.url("two")])

        answer = await customer.webhook(firing("Disk"))
        (first,) = await receiver.expect(1, to="one")
        (second,) = await receiver.expect(1, to="two")

        assert answer.status_code == 202
        assert second.at_s - first.at_s < 10


async def test_a_queue_that_was_flushed_delays_the_page_by_seconds(
    transactions, database_url, valkey, redis
):
    settings = drill_settings(database_url, valkey.url, MINUTE_S)
    async with webhook_receiver() as receiver, running(settings) as service:
        customer = await set_up(service.api, [receiver.url("one"), receiver.url("two")])
        await customer.webhook(firing("Disk"))
        await receiver.expect(1, to="one")

        await redis.flushall()

        await receiver.expect(1, to="two", within_s=10)


async def test_several_workers_page_once(transactions, database_url, valkey, redis):
    settings = drill_settings(database_url, valkey.url, MINUTE_S)
    async with webhook_receiver() as receiver, running(settings, workers=3) as service:
        customer = await set_up(
            service.api, [receiver.url("one"), receiver.url("two")], bundle=False
        )
        await customer.webhook(firing("Disk"), firing("Memory"))
        await receiver.expect(2, to="two")
        incidents = await customer.incidents()

        for incident in incidents:
            await customer.do("acknowledge", incident["id"])

        assert sorted(item.titles[0] for item in receiver.to("one")) == ["Disk", "Memory"]
        assert sorted(item.titles[0] for item in receiver.to("two")) == ["Disk", "Memory"]


async def test_a_worker_that_comes_back_goes_on(transactions, database_url, valkey, redis):
    settings = drill_settings(database_url, valkey.url, MINUTE_S)
    async with webhook_receiver() as receiver, running(settings) as service:
        customer = await set_up(service.api, [receiver.url("one"), receiver.url("two")])
        await customer.webhook(firing("Disk"))
        await receiver.expect(1, to="one")

        await service.stop_workers()
        await redis.flushall()
        await service.start_worker()

        await receiver.expect(1, to="two", within_s=10)
        await until(lambda: bool(receiver.to("two")), 1, "the page")
