"""Run a process: its event loop, its signals, its parts side by side."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

import uvicorn


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run `main` in the fastest event loop that is installed."""
    loop_factory = uvicorn.Config("", loop="auto", log_config=None).get_loop_factory()
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main)


def stop_on_signals(stopping: asyncio.Event) -> None:
    """Set `stopping` on the first SIGINT or SIGTERM; a second one ends the process at once."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        stopping.set()
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(each)

    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, stop)


async def side_by_side(stopping: asyncio.Event, *parts: Coroutine[Any, Any, None]) -> None:
    """Run all parts until each has ended.

    When one fails, the others are told to stop, and its error is raised after they have.
    """
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        stopping.set()
        await asyncio.wait(tasks)
    finally:
        for task in tasks:
            task.cancel()
        endings = await asyncio.gather(*tasks, return_exceptions=True)
    for ending in endings:
        if isinstance(ending, BaseException):
            raise ending
