"""Run a process: its event loop, its signals, its parts side by side."""

import asyncio
import faulthandler
import gc
import os
import signal
import threading
from collections.abc import Coroutine
from typing import Any

import structlog
import uvicorn

from incident_service.core.stopping import stops_within

log = structlog.get_logger()
# Longer than a request or a page takes that has just begun; shorter than containers are given.
ENDS_WITHIN_S = 20.0
BREAKS_OFF_WITHIN_S = 10.0
LOOK_EVERY_S = 0.5
ENDING = (signal.SIGINT, signal.SIGTERM)


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run `main` in the fastest event loop that is installed."""
    # What is there by now stays: the collector need not look at all modules again and again.
    gc.collect()
    gc.freeze()
    loop_factory = uvicorn.Config("", loop="auto", log_config=None).get_loop_factory()
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main)


def break_off(_signal: int, _frame: object) -> None:
    """Interrupt whatever runs; what does not let itself be interrupted ends a little later."""
    end = threading.Timer(BREAKS_OFF_WITHIN_S, end_at_once)
    end.daemon = True
    end.start()
    raise KeyboardInterrupt


def end_at_once() -> None:
    """End the process wherever it hangs, and say where that is.

    An embedded server that is still in use goes on without it; whoever starts next takes it over.
    """
    faulthandler.dump_traceback()
    os._exit(1)


def stop_on_signals(stopping: asyncio.Event) -> None:
    """Set `stopping` on the first SIGINT or SIGTERM; a second one breaks off whatever runs.

    Both break off by KeyboardInterrupt: servers that the process has started are stopped even then.

    The event loop's own handlers would not do: it takes one away by letting the signal kill the
    process, and a second signal can come at that moment.
    """
    loop = asyncio.get_running_loop()

    def tell() -> None:
        log.info("process.stopping", within_s=ENDS_WITHIN_S)
        stopping.set()

    def stop(_signal: int, _frame: object) -> None:
        for each in ENDING:
            signal.signal(each, break_off)
        if not loop.is_running():
            raise KeyboardInterrupt
        loop.call_soon_threadsafe(tell)

    for each in ENDING:
        signal.signal(each, stop)


async def stop_without(parent: int | None, stopping: asyncio.Event) -> None:
    """Set `stopping` when the process `parent` has ended, which has started this one.

    However it ended: a process that is killed cannot stop those that it has started.
    """
    if parent is None:
        return
    while os.getppid() == parent:
        if await stops_within(stopping, LOOK_EVERY_S):
            return
    log.info("process.parent_ended", parent=parent)
    stopping.set()


async def side_by_side(
    stopping: asyncio.Event,
    *parts: Coroutine[Any, Any, None],
    ends_within_s: float = ENDS_WITHIN_S,
) -> None:
    """Run all parts until each has ended.

    When one fails, the others are told to stop, and its error is raised after they have. From
    then on, or from when `stopping` is set, they are given `ends_within_s`; what has not ended by
    then is cancelled: whatever it was doing is done again by somebody else.
    """
    tasks = [asyncio.create_task(part) for part in parts]
    over = asyncio.create_task(asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION))
    asked = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({over, asked}, return_when=asyncio.FIRST_COMPLETED)
        stopping.set()
        _, late = await asyncio.wait(tasks, timeout=ends_within_s)
        if late:
            log.warning("process.ends_late", parts=len(late))
    finally:
        for task in (*tasks, over, asked):
            task.cancel()
        endings = await asyncio.gather(*tasks, over, asked, return_exceptions=True)
    for ending in endings:
        if isinstance(ending, Exception):
            raise ending
