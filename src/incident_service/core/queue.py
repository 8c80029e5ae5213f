"""The job queue as the domain sees it. With `worker`, the only module that imports arq."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from arq import ArqRedis
from arq.constants import (
    default_queue_name,
    in_progress_key_prefix,
    job_key_prefix,
    retry_key_prefix,
)
from redis.asyncio import BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from incident_service.core.clock import monotonic_s

# A slow Redis must never delay a 2xx: the row in PostgreSQL is what counts.
PATIENCE_S = 0.25
COOL_DOWN_S = 5.0

# Answers 1 when the job was taken out, 0 when it is unknown or done, 2 when it runs already.
# One script, so that no worker can pick the job between the look and the removal.
REMOVE = f"""
local removed = 0
for _, id in ipairs(ARGV) do
  if redis.call('EXISTS', '{in_progress_key_prefix}' .. id) == 0
     and redis.call('ZREM', KEYS[1], id) == 1 then
    redis.call('DEL', '{job_key_prefix}' .. id, '{retry_key_prefix}' .. id)
    removed = removed + 1
  end
end
return removed
"""


@dataclass(frozen=True, slots=True)
class Job:
    """A wake-up call. While one with this `key` is waiting or running, a second is dropped."""

    name: str
    args: tuple[str, ...]
    key: str
    not_before: datetime


class QueueDown(Exception):
    """The queue could not be reached. Committed work stays; the reconciler does it."""


class Later(Exception):
    """A job came before its time; run it again at `at`."""

    def __init__(self, at: datetime) -> None:
        super().__init__(at.isoformat())
        self.at = at


class Queue(Protocol):
    """Anything that takes jobs: arq in production, a list in tests."""

    async def exchange(self, *, add: Sequence[Job], remove: Sequence[str]) -> None:
        """Take every job of `add` in and those whose keys are in `remove` out.

        Raises:
            QueueDown: something was not handed over, or not in time.
        """


class ArqQueue:
    """Jobs in Redis, run by arq at least once and never before `not_before`."""

    def __init__(self, redis: ArqRedis) -> None:
        self._redis = redis
        self._closed_until_s = 0.0

    async def exchange(self, *, add: Sequence[Job], remove: Sequence[str]) -> None:
        """Hand over and take back within `PATIENCE_S`; see `Queue.exchange`."""
        if not add and not remove:
            return
        if monotonic_s() < self._closed_until_s:
            raise QueueDown("skipped: it failed moments ago")
        try:
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.gather(self._remove(remove), *map(self._add, add))
        except (RedisError, OSError, TimeoutError) as error:
            self._closed_until_s = monotonic_s() + COOL_DOWN_S
            raise QueueDown(type(error).__name__) from error

    async def _add(self, job: Job) -> None:
        await self._redis.enqueue_job(
            job.name, *job.args, _job_id=job.key, _defer_until=job.not_before
        )

    async def _remove(self, keys: Sequence[str]) -> None:
        if keys:
            await self._redis.eval(REMOVE, 1, default_queue_name, *keys)  # type: ignore[misc]  # redis-py types sync and async in one

    async def close(self) -> None:
        """Give the connections back."""
        await self._redis.aclose(close_connection_pool=True)


def serialize(job: dict[str, Any]) -> bytes:
    """Write a job as JSON: arq's default, pickle, would run code that a Redis writer chose."""
    return json.dumps(job, default=repr).encode()


def deserialize(data: bytes) -> dict[str, Any]:
    """Read a job written by `serialize`."""
    job: dict[str, Any] = json.loads(data)
    return job


def make_redis(url: str, *, connections: int = 16) -> ArqRedis:
    """Make a lazy pool for a `redis://`, `rediss://` or `unix://` address.

    Nothing is sent before the first command, and a Redis that is away fails at once instead of
    being waited for.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=connections,
        timeout=2,
        socket_connect_timeout=1,
        socket_timeout=5,
        retry=Retry(NoBackoff(), 1),
    )
    return ArqRedis(pool, job_serializer=serialize, job_deserializer=deserialize)
