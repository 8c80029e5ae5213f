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
    expires_extra_ms,
    in_progress_key_prefix,
    job_key_prefix,
    retry_key_prefix,
)
from arq.jobs import serialize_job
from redis.asyncio import BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from incident_service.core.clock import monotonic_s, utc_now

# A slow Redis must never delay a 2xx: the row in PostgreSQL is what counts.
PATIENCE_S = 0.25
COOL_DOWN_S = 5.0

# Scripts, so that no worker can pick a job between the look and the change. Both answer how many
# jobs they changed.

# A job that waits or runs stands in the queue: such a one is left alone. Jobs are given as
# (id, due at, kept for, content); arq's own way takes three round trips for each.
ADD = f"""
local added = 0
for i = 1, #ARGV, 4 do
  if not redis.call('ZSCORE', KEYS[1], ARGV[i]) then
    redis.call('PSETEX', '{job_key_prefix}' .. ARGV[i], ARGV[i + 2], ARGV[i + 3])
    redis.call('ZADD', KEYS[1], ARGV[i + 1], ARGV[i])
    added = added + 1
  end
end
return added
"""

# A job that runs already is left to its worker, which finds its row cancelled.
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
JOBS_A_CALL = 500


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


class NoQueue:
    """For a process without Redis: what it leaves to do is found by the reconciler."""

    async def exchange(self, *, add: Sequence[Job], remove: Sequence[str]) -> None:
        """Hand nothing over; see `Queue.exchange`."""
        if add or remove:
            raise QueueDown("this process has no queue")


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
                await self._remove(remove)
                await self._add(add)
        except (RedisError, OSError, TimeoutError) as error:
            self._closed_until_s = monotonic_s() + COOL_DOWN_S
            raise QueueDown(type(error).__name__) from error

    async def restore(self, jobs: Sequence[Job]) -> int:
        """Take in those of the jobs that the queue has lost; return how many these were.

        Raises:
            QueueDown: the queue is away.
        """
        restored = 0
        try:
            for first in range(0, len(jobs), JOBS_A_CALL):
                part = jobs[first : first + JOBS_A_CALL]
                restored += await self._add(await self._lost(part))
        except (RedisError, OSError, TimeoutError) as error:
            raise QueueDown(type(error).__name__) from error
        return restored

    async def depth(self) -> int:
        """Return how many jobs wait or run, within `PATIENCE_S`.

        Raises:
            QueueDown: the queue is away.
        """
        try:
            async with asyncio.timeout(PATIENCE_S):
                return int(await self._redis.zcard(default_queue_name))
        except (RedisError, OSError, TimeoutError) as error:
            raise QueueDown(type(error).__name__) from error

    async def _lost(self, jobs: Sequence[Job]) -> list[Job]:
        """Return those that neither wait nor run: most are there, and writing one out is slow."""
        if not jobs:
            return []
        due: list[float | None] = await self._redis.zmscore(
            default_queue_name, [job.key for job in jobs]
        )
        return [job for job, at in zip(jobs, due, strict=True) if at is None]

    async def _add(self, jobs: Sequence[Job]) -> int:
        added = 0
        for first in range(0, len(jobs), JOBS_A_CALL):
            part = jobs[first : first + JOBS_A_CALL]
            arguments = [argument for job in part for argument in as_arguments(job)]
            added += await self._redis.eval(ADD, 1, default_queue_name, *arguments)  # type: ignore[misc]  # redis-py types sync and async in one
        return added

    async def _remove(self, keys: Sequence[str]) -> None:
        for first in range(0, len(keys), JOBS_A_CALL):
            part = keys[first : first + JOBS_A_CALL]
            await self._redis.eval(REMOVE, 1, default_queue_name, *part)  # type: ignore[misc]  # redis-py types sync and async in one

    async def close(self) -> None:
        """Give the connections back."""
        await self._redis.aclose(close_connection_pool=True)


def as_arguments(job: Job) -> tuple[str, str, str, str]:
    """Write a job as arq does: id, due at, how long to keep it, content; times in ms."""
    now_ms, due_ms = unix_ms(utc_now()), unix_ms(job.not_before)
    kept_ms = max(due_ms - now_ms, 0) + expires_extra_ms
    content = serialize_job(job.name, job.args, {}, None, now_ms, serializer=serialize)
    return job.key, str(due_ms), str(kept_ms), content.decode()


def unix_ms(instant: datetime) -> int:
    """Return an instant as arq counts it."""
    return int(instant.timestamp() * 1000)


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
