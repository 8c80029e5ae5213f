"""Jobs in a real Valkey, as arq reads them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from arq.connections import ArqRedis
from arq.jobs import Job as ArqJob
from tests.fakes import NOON

from incident_service.core.ids import new_id
from incident_service.core.queue import ArqQueue, Job, QueueDown, deserialize, make_redis
from incident_service.embedded import EmbeddedValkey

QUEUE = "arq:queue"


@pytest.fixture
async def redis(valkey: EmbeddedValkey) -> AsyncIterator[ArqRedis]:
    redis = make_redis(valkey.url)
    yield redis
    await redis.flushdb()
    await redis.config_set("maxmemory", "0")
    await redis.aclose(close_connection_pool=True)


@pytest.fixture
def queue(redis: ArqRedis) -> ArqQueue:
    return ArqQueue(redis)


def job(**changes: Any) -> Job:
    values: dict[str, Any] = {"name": "run_timer", "args": ("an-id",), "not_before": NOON}
    return Job(**{"key": str(new_id())} | values | changes)


async def test_arq_reads_what_was_added(redis, queue):
    added = job(args=("one", "two"))

    await queue.exchange(add=[added], remove=[])

    info = await ArqJob(added.key, redis, _deserializer=deserialize).info()
    assert info is not None
    assert (info.function, list(info.args)) == ("run_timer", ["one", "two"])
    assert await redis.zscore(QUEUE, added.key) == NOON.timestamp() * 1000


async def test_a_job_that_waits_is_left_as_it_is(redis, queue):
    first = job()
    await queue.exchange(add=[first], remove=[])

    await queue.exchange(add=[job(key=first.key, not_before=NOON + timedelta(hours=1))], remove=[])

    assert await redis.zscore(QUEUE, first.key) == NOON.timestamp() * 1000


async def test_a_removed_job_leaves_nothing_behind(redis, queue):
    gone, stays = job(), job()
    await queue.exchange(add=[gone, stays], remove=[])

    await queue.exchange(add=[], remove=[gone.key])

    assert [key.decode() for key in await redis.zrange(QUEUE, 0, -1)] == [stays.key]
    assert not await redis.exists(f"arq:job:{gone.key}")


async def test_a_job_that_runs_is_not_taken_out(redis, queue):
    running = job()
    await queue.exchange(add=[running], remove=[])
    await redis.set(f"arq:in-progress:{running.key}", 1)

    await queue.exchange(add=[], remove=[running.key])

    assert await redis.zscore(QUEUE, running.key) is not None


async def test_many_jobs_are_handed_over_in_time(redis, queue):
    many = [job() for _ in range(2_000)]

    await queue.restore(many)

    assert await redis.zcard(QUEUE) == 2_000
    assert await queue.restore(many) == 0


async def test_only_what_was_lost_is_restored(redis, queue):
    kept, lost = job(), job()
    await queue.exchange(add=[kept], remove=[])

    assert await queue.restore([kept, lost]) == 1


async def test_a_queue_that_is_full_is_down_and_nobody_waits_for_it(redis, queue):
    await redis.config_set("maxmemory", "1")

    with pytest.raises(QueueDown):
        await queue.exchange(add=[job()], remove=[])


async def test_a_queue_that_does_not_answer_is_left_alone_for_a_while():
    asked = 0

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await reader.read()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    redis = make_redis(f"redis://127.0.0.1:{port}")
    queue = ArqQueue(redis)

    for _ in range(3):
        with pytest.raises(QueueDown):
            await queue.exchange(add=[job()], remove=[])

    assert asked == 1
    await redis.aclose(close_connection_pool=True)
    server.close()
    await server.wait_closed()
