"""What every process of the service holds open: database, queue, clock."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncEngine

from incident_service.core.clock import DatabaseClock
from incident_service.core.db import (
    Transactions,
    database_now,
    make_engine,
    make_sessions,
    measure_on_connect,
)
from incident_service.core.queue import PATIENCE_S, ArqQueue, make_redis
from incident_service.observability import metrics
from incident_service.settings import Settings

log = structlog.get_logger()
LARGE_OFFSET_S = 2.0
MEASURE_EVERY_S = 30.0
FAREWELL_S = 3.0


@dataclass(frozen=True, slots=True)
class Runtime:
    """The open resources of a process, and the transactions made from them."""

    settings: Settings
    engine: AsyncEngine
    redis: Redis
    queue: ArqQueue
    clock: DatabaseClock
    transactions: Transactions

    async def queue_answers(self) -> bool:
        """Say whether Redis answers within the time that a request would wait for it."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self.redis.ping()
        except (RedisError, OSError, TimeoutError):
            return False
        return True

    async def measure_clock(self) -> None:
        """Take over the offset between this process's clock and PostgreSQL's."""
        async with self.transactions.sessions() as session:
            await database_now(session)  # connect first: that takes longer than the question
            asked_at = self.clock.local_now()
            answer = await database_now(session)
            self.clock.measure(asked_at, answer, self.clock.local_now())
        offset_s = self.clock.offset.total_seconds()
        metrics.CLOCK_OFFSET.set(offset_s)
        if abs(offset_s) > LARGE_OFFSET_S:
            log.warning("clock.offset_large", offset_s=round(offset_s, 3))


@asynccontextmanager
async def open_runtime(
    settings: Settings, clock: DatabaseClock | None = None
) -> AsyncIterator[Runtime]:
    """Open what `settings` name; nothing is connected before it is used."""
    clock = clock or DatabaseClock()
    engine = make_engine(
        settings.database_url,
        pool_size=settings.database_pool_size,
        sealing_keys=settings.sealing_keys,
    )
    redis = make_redis(settings.redis_url)
    queue = ArqQueue(redis)
    measure_on_connect(engine, clock)
    transactions = Transactions(
        make_sessions(engine), queue, clock, settings.minute, settings.transaction_seconds
    )
    try:
        yield Runtime(settings, engine, redis, queue, clock, transactions)
    finally:
        await queue.close()
        await close_engine(engine)


async def close_engine(engine: AsyncEngine) -> None:
    """Say goodbye to PostgreSQL, unless it has fallen silent: nobody waits for that to stop."""
    try:
        async with asyncio.timeout(FAREWELL_S):
            await engine.dispose()
    except TimeoutError:
        log.info("database.silent_at_the_end")
        await engine.dispose(close=False)
