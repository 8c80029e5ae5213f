"""A canary a minute goes the way of a page, with Redis and without."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select
from tests.fakes import FrozenClock, RememberingQueue
from tests.running import drill_settings, running

from incident_service import jobs
from incident_service.core.clock import utc_now
from incident_service.core.db import Transactions
from incident_service.core.ids import new_id
from incident_service.core.queue import Job, Later
from incident_service.core.stopping import stops_within
from incident_service.heartbeat.actions import FORGOTTEN_AT_ONCE
from incident_service.heartbeat.jobs import advance_canary, overdue_canaries, plant_canary
from incident_service.heartbeat.models import Canary

MINUTE = timedelta(minutes=1)
COMES_THROUGH_S = 30.0


async def canaries(transactions: Transactions) -> list[Canary]:
    async with transactions.open() as tx:
        rows = await tx.session.scalars(select(Canary).order_by(Canary.due_at))
        return list(rows)


async def run_jobs(transactions: Transactions, queue: RememberingQueue) -> list[Job]:
    """Do what the alarm clock would, until it has nothing more to ring for."""
    done: list[Job] = []
    while queue.jobs:
        job = queue.jobs.pop(0)
        assert job.name == jobs.ADVANCE_CANARY
        await advance_canary(transactions, *job.args)
        done.append(job)
    return done


async def test_each_minute_gets_one_canary_whichever_workers_plant_it(transactions, queue, clock):
    await asyncio.gather(*(plant_canary(transactions) for _ in range(5)))
    clock.advance(minutes=1)
    await asyncio.gather(*(plant_canary(transactions) for _ in range(5)))

    planted = await canaries(transactions)
    minute = clock().replace(second=0, microsecond=0)
    assert [canary.due_at for canary in planted] == [minute, minute + MINUTE]
    assert len({job.key for job in queue.jobs}) == len(queue.jobs) == 2


async def test_the_next_one_is_planted_when_this_one_is_due(transactions, clock):
    clock.advance(seconds=42)

    swept = await plant_canary(transactions)

    assert swept.next_in == timedelta(seconds=18)


async def test_it_is_stepped_claimed_and_recorded_by_a_job_each(transactions, queue, clock):
    await plant_canary(transactions)
    clock.advance(minutes=1)

    done = await run_jobs(transactions, queue)

    (canary,) = await canaries(transactions)
    assert canary.stepped_at == canary.claimed_at == canary.recorded_at == clock()
    assert [job.key.rpartition(":")[2] for job in done] == ["step", "claim", "record"]


async def test_a_job_that_comes_early_waits(transactions, queue):
    await plant_canary(transactions)
    (canary,) = await canaries(transactions)

    with pytest.raises(Later) as early:
        await advance_canary(transactions, str(canary.id))

    assert early.value.at == canary.due_at
    assert (await canaries(transactions))[0].stepped_at is None


async def test_a_job_that_comes_twice_or_for_nothing_changes_nothing(transactions, queue, clock):
    await plant_canary(transactions)
    clock.advance(minutes=1)
    done = await run_jobs(transactions, queue)
    clock.advance(seconds=5)

    await advance_canary(transactions, *done[-1].args)
    await advance_canary(transactions, str(new_id()))

    (canary,) = await canaries(transactions)
    assert canary.recorded_at == clock() - timedelta(seconds=5)
    assert queue.jobs == []


async def test_without_redis_the_reconciler_takes_it_through(transactions, queue, clock):
    queue.down = True
    sweep = overdue_canaries(transactions).sweep
    await plant_canary(transactions)
    clock.advance(minutes=1, seconds=1)

    done = [(await sweep()).done for _ in range(4)]

    (canary,) = await canaries(transactions)
    assert done == [1, 1, 1, 0]
    assert canary.recorded_at == clock()


async def test_the_reconciler_leaves_a_canary_to_its_job_at_first(transactions, clock):
    await plant_canary(transactions)
    clock.advance(minutes=1)

    swept = await overdue_canaries(transactions).sweep()

    assert (swept.done, swept.next_in) == (0, timedelta(seconds=1))


async def test_old_ones_are_forgotten_a_bounded_number_at_once(transactions, clock: FrozenClock):
    async with transactions.open() as tx:
        tx.session.add_all(
            Canary(id=new_id(), due_at=clock() - number * MINUTE, created_at=clock())
            for number in range(1, FORGOTTEN_AT_ONCE + 100)
        )

    left = []
    for _ in range(2):
        await plant_canary(transactions)
        left.append(len(await canaries(transactions)))
        clock.advance(minutes=1)

    # Those of an hour stay, and each planting adds one.
    assert left == [100, 61]


@pytest.mark.parametrize("redis_is_there", [True, False])
async def test_a_running_worker_takes_it_through(
    transactions, database_url, valkey, redis_is_there
):
    redis_url = valkey.url if redis_is_there else "redis://127.0.0.1:1/0"
    canary_id, due_at = new_id(), utc_now()

    async with running(drill_settings(database_url, redis_url, 60)) as service:
        async with service.runtime.transactions.open() as tx:
            tx.session.add(Canary(id=canary_id, due_at=due_at, created_at=due_at))
            tx.enqueue(jobs.advance_canary(canary_id, "step", due_at))
        async with asyncio.timeout(COMES_THROUGH_S):
            while (await canaries(transactions))[0].recorded_at is None:
                await stops_within(asyncio.Event(), 0.05)
