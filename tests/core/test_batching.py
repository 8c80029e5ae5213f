"""What arrives while a batch is at work goes into the next one, and nobody pays for another."""

import asyncio
from contextvars import ContextVar

import pytest

from incident_service.core.batching import Batches


class Work:
    """Doubles numbers when it is let; refuses every batch that holds a negative one."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.has_begun = asyncio.Event()
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    async def __call__(self, items):
        self.batches.append(list(items))
        self.has_begun.set()
        await self.may_go_on.wait()
        if any(item < 0 for item in items):
            raise ValueError(min(items))
        return [item * 2 for item in items]


async def test_an_idle_one_begins_at_once_and_later_comers_go_together():
    work = Work()
    work.may_go_on.clear()
    batches = Batches(work, most=10)

    callers = [asyncio.create_task(batches.submit(number)) for number in range(5)]
    await work.has_begun.wait()
    work.may_go_on.set()

    assert await asyncio.gather(*callers) == [0, 2, 4, 6, 8]
    assert sorted(number for batch in work.batches for number in batch) == [0, 1, 2, 3, 4]
    assert len(work.batches) <= 2


async def test_what_comes_at_the_moment_a_batch_ends_is_done_too():
    batches = Batches(Work(), most=10)

    async with asyncio.timeout(5):
        answers = [await batches.submit(number) for number in range(100)]

    assert answers == [number * 2 for number in range(100)]


async def test_a_batch_is_bounded():
    work = Work()
    batches = Batches(work, most=3)

    answers = await asyncio.gather(*(batches.submit(number) for number in range(10)))

    assert answers == [number * 2 for number in range(10)]
    assert max(map(len, work.batches)) == 3


async def test_a_bad_item_costs_only_itself():
    batches = Batches(Work(), most=10)

    answers = await asyncio.gather(
        *(batches.submit(number) for number in (1, -2, 3)), return_exceptions=True
    )

    assert (answers[0], answers[2]) == (2, 6)
    assert isinstance(answers[1], ValueError)


async def test_a_caller_that_goes_away_costs_nobody_anything():
    work = Work()
    work.may_go_on.clear()
    batches = Batches(work, most=10)
    gone, stays = (asyncio.create_task(batches.submit(number)) for number in (1, 2))
    await work.has_begun.wait()

    gone.cancel()
    work.may_go_on.set()

    assert await stays == 4
    with pytest.raises(asyncio.CancelledError):
        await gone


WHO: ContextVar[str] = ContextVar("who", default="nobody")


async def test_what_is_done_for_one_is_done_in_its_name_and_what_is_done_for_many_in_nobodys():
    names: list[tuple[int, str]] = []
    has_begun, may_go_on = asyncio.Event(), asyncio.Event()

    async def work(items):
        names.append((len(items), WHO.get()))
        has_begun.set()
        await may_go_on.wait()
        return items

    batches = Batches(work, most=10)

    async def submit(name: str) -> None:
        WHO.set(name)
        await batches.submit(name)

    callers = [asyncio.create_task(submit("first"))]
    await has_begun.wait()
    callers += [asyncio.create_task(submit(name)) for name in ("second", "third")]
    may_go_on.set()
    await asyncio.gather(*callers)
    await submit("fourth")

    assert names == [(1, "first"), (2, "nobody"), (1, "fourth")]
