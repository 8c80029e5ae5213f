"""The real thing under a clock of ours: PostgreSQL, Valkey, and the handlers of the worker."""

import json
from asyncio import CancelledError
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import asyncpg
from arq import ArqRedis
from arq.constants import default_queue_name, job_key_prefix
from sqlalchemy.ext.asyncio import AsyncEngine
from tests import factories
from tests.chaos import promises
from tests.chaos.climb_model import Policy
from tests.chaos.promises import Connection
from tests.conftest import EMPTY
from tests.fakes import NOON, FrozenClock
from tests.stage import NOWHERE, Stage

from incident_service.alerts.refire import held_alerts
from incident_service.catalog.models import Service
from incident_service.catalog.priority import Priority
from incident_service.core.db import Transactions, Tx, make_engine, make_sessions
from incident_service.core.queue import ArqQueue, Later, deserialize, make_redis, unix_ms
from incident_service.escalation.jobs import overdue_timers, restore_jobs
from incident_service.jobs import RUN_TIMER
from incident_service.maintenance.actions import create_window, end_window
from incident_service.maintenance.schemas import MaintenanceWindowCreate
from incident_service.notifications.channels.contract import ChannelSender
from incident_service.notifications.delivery import Courier
from incident_service.policies.actions import delete_policy, lock_policy, update_policy
from incident_service.policies.schemas import EscalationPolicyUpdate
from incident_service.response import actions, handing_over, prioritizing
from incident_service.response.actions import Order, restart_on_policy
from incident_service.response.maintaining import settle, unsettled_windows
from incident_service.teams.models import Channel
from incident_service.worker import handlers

# What there is to know of each incident, in the order in which they were opened.
STANDING = """
    SELECT i.id, i.labels ->> 'alertname' AS name, i.status, i.current_repeat, i.current_level,
           i.exhausted_at IS NOT NULL AS is_exhausted,
           (SELECT jsonb_build_array(j.kind, j.scheduled_for) FROM escalation_jobs j
            WHERE j.incident_id = i.id AND NOT j.completed AND j.cancelled_at IS NULL) AS timer,
           ARRAY(SELECT u.name FROM notifications n JOIN users u ON u.id = n.user_id
                 WHERE n.incident_id = i.id
                   AND n.reason !~ '^(acknowledged by|resolved by|handed to) '
                 ORDER BY n.id) AS told,
           (SELECT bool_and(n.status = 'cancelled') FROM notifications n
            WHERE n.incident_id = i.id AND n.kind = 'page' AND n.epoch = i.escalation_epoch
              AND (n.repeat, n.level) = (i.current_repeat, i.current_level)) AS is_untold
    FROM incidents i ORDER BY i.number
"""

EPISODES = """
    SELECT split_part(title, ' ', 1) AS name, starts_at, status, refire_at
    FROM alerts ORDER BY starts_at
"""


@dataclass
class World:
    """One service, and everything that happens to it."""

    transactions: Transactions
    reader: Connection
    redis: ArqRedis
    queue: ArqQueue
    clock: FrozenClock
    stage: Stage
    courier: Courier

    # --- the queue

    async def due_jobs(self) -> list[str]:
        """The keys of the jobs that a worker would take now, in the order of their times."""
        keys = await self.redis.zrangebyscore(
            default_queue_name, "-inf", unix_ms(self.clock()), withscores=False
        )
        return [key.decode() for key in keys]

    async def wakes_timers(self, key: str) -> bool:
        """Say whether the job makes its worker look for timers that are due."""
        content = await self.redis.get(job_key_prefix + key)
        return content is not None and deserialize(content)["f"] == RUN_TIMER

    async def run_job(self, key: str, *, keep: bool = False) -> None:
        """Do a job as arq does: by its handler, then out of the queue, or later again."""
        content = await self.redis.get(job_key_prefix + key)
        if content is None:
            return
        job = deserialize(content)
        handler = handlers(self.transactions, self.courier)[job["f"]]
        try:
            await handler(*job["a"])
        except Later as early:
            await self.redis.zadd(default_queue_name, {key: unix_ms(early.at)})
            return
        except CancelledError:
            return  # the worker has died, and the job with it
        if not keep:
            await self.drop_job(key)

    async def drop_job(self, key: str) -> None:
        await self.redis.zrem(default_queue_name, key)
        await self.redis.delete(job_key_prefix + key)

    async def flush(self) -> None:
        await self.redis.flushdb()

    async def all_jobs(self) -> list[str]:
        return sorted(key.decode() for key in await self.redis.zrange(default_queue_name, 0, -1))

    # --- the worker's sweeps

    async def run_timers(self) -> None:
        await overdue_timers(self.transactions).sweep()

    async def release_held(self) -> None:
        await held_alerts(self.transactions).sweep()

    async def restore_jobs(self) -> None:
        await restore_jobs(self.transactions, self.queue)

    async def deliver_overdue(self) -> None:
        await self.courier.sweep()

    async def come_to_rest(self) -> list[str]:
        """Let a worker do all that is due, and time pass; return what it left undone."""
        for _ in range(20):
            self.clock.advance(seconds=31)
            await self.run_timers()
            await self.release_held()
            await self.deliver_overdue()
            await self.settle_windows()
            undone = await self.look(promises.unfinished, self.clock() - timedelta(seconds=1))
            if not undone:
                break
        return undone

    async def settle_windows(self) -> None:
        await unsettled_windows(self.transactions).sweep()

    # --- what can be seen

    async def look(self, find: Callable[..., Awaitable[list[str]]], *arguments: Any) -> list[str]:
        """Ask one of the questions of `promises`."""
        return await find(self.reader, *arguments)

    async def standing(self) -> list[Any]:
        return await self.reader.fetch(STANDING)

    async def episodes(self) -> list[Any]:
        return await self.reader.fetch(EPISODES)

    # --- what responders do

    async def do(self, verb: str, incident_id: UUID, **arguments: Any) -> None:
        order = Order(incident_id, self.stage.principal, self.stage.first.id)
        action = partial(self._action(verb, **arguments), order=order)
        await self.transactions.run(action)

    def _action(self, verb: str, **arguments: Any) -> Callable[..., Awaitable[Any]]:
        stage = self.stage
        match verb:
            case "hand_over":
                people = {person.name: person.id for person in (stage.second, stage.manager)}
                person_id = people[arguments["person"]]
                return partial(handing_over.reassign_to_person, person_id=person_id)
            case "prioritize":
                priority = Priority.CRITICAL if arguments["is_urgent"] else Priority.INFO
                return partial(prioritizing.change_priority, priority=priority)
            case _:
                return partial(getattr(actions, verb), **arguments)

    async def start_maintenance(self, key: str | None, ends_at: datetime) -> UUID:
        matchers = [f"alertname={key}"] if key else []
        wanted = MaintenanceWindowCreate(
            team_id=self.stage.team.id, matchers=matchers, ends_at=ends_at, reason="It moves"
        )
        async with self.transactions.open() as tx:
            window = await create_window(tx, wanted, by=self.stage.principal)
            await settle(tx, window)
        return window.id

    async def end_maintenance(self, window_id: UUID) -> None:
        async with self.transactions.open() as tx:
            await settle(tx, await end_window(tx, window_id, by=self.stage.principal))

    # --- what operators do

    async def edit_policy(self, policy: Policy, *, apply_to_open: bool = False) -> None:
        async with self.transactions.open() as tx:
            wanted = EscalationPolicyUpdate.model_validate(self._as_update(policy))
            principal = self.stage.principal
            await update_policy(tx, self.stage.policy.id, wanted, by=principal)
            if apply_to_open:
                await restart_on_policy(tx, self.stage.policy.id, principal)

    async def make_policy(self, policy: Policy) -> None:
        async with self.transactions.open() as tx:
            self.stage.policy = await factories.make_policy(tx, self.stage.team)
            await self._follow(tx, self.stage.policy.id)
        await self.edit_policy(policy)

    async def delete_policy(self) -> None:
        async with self.transactions.open() as tx:
            await self._follow(tx, None)
            policy = await lock_policy(tx, self.stage.policy.id, self.stage.principal)
            await delete_policy(tx, policy)

    async def _follow(self, tx: Tx, policy_id: UUID | None) -> None:
        service = await tx.session.get_one(Service, self.stage.service.id)
        service.escalation_policy_id = policy_id
        await tx.flush()

    def _as_update(self, policy: Policy) -> dict[str, Any]:
        stage = self.stage
        people = {person.name: person.id for person in (stage.first, stage.second, stage.manager)}
        return {
            "repeat_count": policy.repeat_count,
            "ack_timeout_minutes": policy.ack_timeout_minutes,
            "levels": [
                {"target_type": "user", "target_id": people[name], "timeout_minutes": minutes}
                for name, minutes in policy.levels
            ],
        }


@dataclass
class Ground:
    """Where worlds are made, one after the other: each begins with nothing."""

    engine: AsyncEngine
    reader: asyncpg.Connection
    redis: ArqRedis

    async def make_world(
        self,
        channel: ChannelSender,
        *,
        now: datetime = NOON,
        address: Callable[[str], str] = NOWHERE.format,
        bundle: bool = True,
    ) -> World:
        """Make a world whose people are reached through `channel`, each by `address(name)`."""
        await self.clean()
        clock, queue = FrozenClock(now), ArqQueue(self.redis)
        transactions = Transactions(make_sessions(self.engine), queue, clock)
        stage = Stage(transactions, clock, address=address, bundle=bundle)
        await stage.set_up(service={"grouping": "group"})
        channels = {Channel.WEBHOOK: channel}
        courier = Courier(transactions, channels, "http://incidents.example", jitter=lambda: 0.0)
        return World(transactions, self.reader, self.redis, queue, clock, stage, courier)

    async def clean(self) -> None:
        await self.redis.flushdb()
        await self.reader.execute(EMPTY)


@asynccontextmanager
async def open_ground(database_url: str, redis_url: str) -> AsyncIterator[Ground]:
    """Connect; nothing is left behind in the end."""
    engine, redis = make_engine(database_url, pool_size=5), make_redis(redis_url)
    reader = await asyncpg.connect(database_url.replace("+asyncpg", ""))
    await set_json_codec(reader)
    ground = Ground(engine, reader, redis)
    try:
        yield ground
        await ground.clean()
    finally:
        await reader.close()
        await redis.aclose(close_connection_pool=True)
        await engine.dispose()


async def set_json_codec(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec(
        "jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog"
    )
