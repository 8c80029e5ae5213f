"""Play the demo."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from redis.asyncio import Redis

from incident_service.cli.demo import words
from incident_service.cli.demo.service import Access, Service
from incident_service.cli.demo.stage import Stage, open_stage
from incident_service.cli.demo.story import Story, Workers
from incident_service.core.clock import monotonic_s

PATIENCE_S = 15.0


def run_demo(wanted: Access) -> int:
    """Play it; return the exit code: 1 when something did not come out as expected.

    Raises:
        CannotRun: there is no service to play at.
    """
    return asyncio.run(play(wanted))


async def play(wanted: Access) -> int:
    """Play it; return the exit code. SIGTERM is Ctrl-C: what was started is stopped."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, signal.raise_signal, signal.SIGINT)
    async with (
        open_stage(wanted) as stage,
        httpx.AsyncClient(base_url=stage.access.url, timeout=PATIENCE_S, trust_env=False) as client,
        open_workers(stage) as workers,
        open_redis(stage) as redis,
    ):
        began_s = monotonic_s()
        story = Story(Service(client, stage.access), workers, redis, say)
        await story.tell()
        seen = story.expectations
        say(words.summary(seen.kept, seen.broken, monotonic_s() - began_s))
    return 1 if seen.broken else 0


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


@asynccontextmanager
async def open_workers(stage: Stage) -> AsyncIterator[Workers | None]:
    """Start a worker, if it can be ours, and leave none behind."""
    if stage.worker_environment is None:
        yield None
        return
    workers = Workers(stage.worker_environment, say)
    started = await workers.start()
    say(f"A worker of the demo's own is at work, with pid {started.pid}.")
    try:
        yield workers
    finally:
        await workers.stop()


@asynccontextmanager
async def open_redis(stage: Stage) -> AsyncIterator[Redis | None]:
    """Connect to the queue, if it is known where that is."""
    if stage.redis_url is None:
        yield None
        return
    redis = Redis.from_url(stage.redis_url)
    try:
        yield redis
    finally:
        await redis.aclose()
