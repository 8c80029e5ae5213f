"""A worker that is told to stop does stop."""

import asyncio

from incident_service.worker import cancel


async def test_a_task_that_misses_a_cancellation_is_cancelled_again():
    begun, never = asyncio.Event(), asyncio.Event()

    async def misses_one() -> None:
        begun.set()
        try:
            await never.wait()
        except asyncio.CancelledError:
            await never.wait()

    task = asyncio.create_task(misses_one())
    await begun.wait()

    async with asyncio.timeout(20):
        await cancel(task)

    assert task.cancelled()
