"""What a worker does with a queue that is not as it left it."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from arq.connections import ArqRedis
from tests.api_steps import firing, set_up
from tests.receiver import webhook_receiver
from tests.running import drill_settings, running
from tests.waiting import eventually

from incident_service.core.clock import DatabaseClock, utc_now
from incident_service.core.ids import new_id
from incident_service.core.queue import Job, make_redis
from incident_service.embedded import EmbeddedValkey
from incident_service.escalation.jobs import restore_jobs

QUEUE = "arq:queue"


@pytest.fixture
async def redis(valkey: EmbeddedValkey) -> AsyncIterator[ArqRedis]:
    redis = make_redis(valkey.url)
    yield redis
    await redis.flushdb()
    await redis.aclose(close_connection_pool=True)


async def waiting_jobs(redis: ArqRedis) -> dict[str, float]:
    """Return when which job is due, without the canary's, which nobody restores."""
    found = await redis.zrange(QUEUE, 0, -1, withscores=True)
    jobs = {key.decode(): due for key, due in found}
    return {key: due for key, due in jobs.items() if not key.startswith("canary:")}


async def put_off_since(redis: ArqRedis, due_ms: float) -> bool:
    return (await waiting_jobs(redis))["moon"] != due_ms


async def holds(redis: ArqRedis, jobs: dict[str, float]) -> bool:
    return await waiting_jobs(redis) == jobs


async def test_a_job_of_a_later_release_is_left_in_the_queue(
    transactions, database_url, valkey, redis
):
    settings = drill_settings(database_url, valkey.url, 60)
    of_later_release = Job("call_the_moon", (str(new_id()),), "moon", utc_now())

    async with running(settings) as service:
        await service.runtime.queue.exchange(add=[of_later_release], remove=[])
        began = (await waiting_jobs(redis))["moon"]
        await eventually(
            lambda: put_off_since(redis, began), "the worker to put off a job that it does not know"
        )
        put_off = await waiting_jobs(redis)

    assert put_off["moon"] > began + 20_000
    assert await redis.exists("arq:job:moon")


async def test_a_worker_that_finds_an_empty_queue_fills_it_again(
    transactions, database_url, valkey, redis
):
    settings = drill_settings(database_url, valkey.url, 60)
    async with webhook_receiver() as receiver, running(settings) as service:
        customer = await set_up(service.api, [receiver.url("one"), receiver.url("two")])
        await customer.webhook(firing("Disk"))
        await receiver.expect(1, to="one")
        await service.stop_workers()
        before = await waiting_jobs(redis)
        await redis.flushall()

        await service.start_worker()
        await eventually(lambda: holds(redis, before), "the worker to fill the queue again")

    assert len(before) == 1


async def test_only_timers_of_the_next_hour_are_restored(stage, valkey, redis, database_url):
    await stage.fire("Disk", "Memory")
    disk, _ = await stage.incidents()
    await stage.do("snooze", disk, until=stage.clock() + timedelta(hours=3))
    settings = drill_settings(database_url, valkey.url, 60)

    async with running(settings, workers=0) as service:
        restored = await restore_jobs(stage.transactions, service.runtime.queue)
        again = await restore_jobs(stage.transactions, service.runtime.queue)

    assert (restored, again) == (1, 0)


@pytest.mark.parametrize("wrong_by", [timedelta(minutes=7), timedelta(minutes=-7)])
async def test_a_process_whose_clock_is_minutes_off_pages_in_time_and_once(
    transactions, database_url, valkey, redis, wrong_by
):
    settings = drill_settings(database_url, valkey.url, 0.4)
    wrong = DatabaseClock(lambda: utc_now() + wrong_by)
    async with webhook_receiver() as receiver, running(settings, clock=wrong) as service:
        customer = await set_up(service.api, [receiver.url("one"), receiver.url("two")])
        await customer.webhook(firing("Disk"))
        await receiver.expect(1, to="one")
        await receiver.expect(1, to="two")
        (incident,) = await customer.incidents()
        await customer.do("acknowledge", incident["id"])
        timeline = await customer.of(incident["id"], "timeline")

    first, second = [event for event in timeline if event["kind"] == "paged"]
    assert datetime.fromisoformat(second["at"]) >= datetime.fromisoformat(first["data"]["next_at"])
    assert len(receiver.received) == 2
