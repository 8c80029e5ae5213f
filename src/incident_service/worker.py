"""The worker: arq jobs for punctuality, the reconciler for certainty."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import datetime
from typing import Any

import structlog
from arq import ArqRedis, Retry
from arq.cron import CronJob
from arq.typing import WorkerCoroutine
from arq.worker import Function, func
from arq.worker import Worker as ArqWorker
from redis.exceptions import RedisError

from incident_service import jobs
from incident_service.alerts import quarantine
from incident_service.alerts.refire import held_alerts
from incident_service.alerts.staleness import SWEEP_EVERY_S, silent_alerts, stale_alerts
from incident_service.core.db import DATABASE_AWAY, Transactions
from incident_service.core.queue import Later, QueueDown, deserialize, make_redis, serialize
from incident_service.core.reconciler import Sweep, Swept, reconcile
from incident_service.core.runtime import MEASURE_EVERY_S, Runtime
from incident_service.core.spans import span
from incident_service.core.stopping import stops_within
from incident_service.escalation.jobs import TimerJobs, overdue_timers, restore_jobs
from incident_service.escalation.unreached import unreached_levels
from incident_service.heartbeat.jobs import advance_canary, overdue_canaries, plant_canary
from incident_service.notifications.delivery import Courier
from incident_service.notifications.jobs import deliver
from incident_service.observability.tracing import Kind
from incident_service.response.maintaining import unsettled_windows
from incident_service.retention.jobs import retention_sweeps
from incident_service.retention.terms import terms_of

log = structlog.get_logger()

JOB_TIMEOUT_S = 20  # also bounds how long a killed worker's job stays reserved
POLL_S = 0.02
LONGEST_RETRY_S = 30.0
REBUILD_PAUSE_S = 1.0
RESTORE_EVERY_S = 30.0
PLANT_EVERY_S = 60.0
UNKNOWN_AGAIN_S = 30.0
COMPLETION_WAIT_S = 10.0
CANCEL_AGAIN_S = 1.0


def handlers(transactions: Transactions, courier: Courier) -> dict[str, Callable[[str], Any]]:
    """Return what each job does, by name."""
    return {
        jobs.RUN_TIMER: TimerJobs(transactions).run,
        jobs.DELIVER: lambda contact_method_id: deliver(courier, contact_method_id),
        jobs.ADVANCE_CANARY: lambda canary_id: advance_canary(transactions, canary_id),
    }


def sweeps(runtime: Runtime, courier: Courier) -> list[Sweep]:
    """Return what the reconciler looks for."""
    timers = overdue_timers(runtime.transactions)
    held = held_alerts(runtime.transactions)
    unreached = unreached_levels(runtime.transactions)
    silent = silent_alerts(runtime.transactions)
    stale = stale_alerts(runtime.transactions)
    canaries = overdue_canaries(runtime.transactions)
    windows = unsettled_windows(runtime.transactions)
    return [
        Sweep(timers.name, timers.sweep),
        Sweep(held.name, held.sweep),
        Sweep(silent.name, silent.sweep, every_s=SWEEP_EVERY_S),
        Sweep(
            "rejected_alerts",
            lambda: quarantine.prune(runtime.transactions),
            every_s=quarantine.PRUNE_EVERY_S,
        ),
        Sweep(stale.name, stale.sweep, every_s=SWEEP_EVERY_S),
        Sweep("pages", courier.sweep),
        Sweep(unreached.name, unreached.sweep),
        Sweep(windows.name, windows.sweep),
        Sweep(canaries.name, canaries.sweep),
        Sweep("planting", lambda: plant_canary(runtime.transactions), every_s=PLANT_EVERY_S),
        Sweep("lost_jobs", lambda: restore_lost(runtime), every_s=RESTORE_EVERY_S),
        *retention_sweeps(runtime.transactions, terms_of(runtime.settings)),
        Sweep("clock", lambda: measure(runtime), every_s=MEASURE_EVERY_S),
    ]


async def restore_lost(runtime: Runtime) -> Swept:
    """Give a queue that was flushed, or restored from an old snapshot, its jobs back."""
    try:
        return Swept(await restore_jobs(runtime.transactions, runtime.queue))
    except QueueDown:
        return Swept()  # it is restored as soon as this worker reaches it again


async def measure(runtime: Runtime) -> Swept:
    """Follow PostgreSQL's clock."""
    await runtime.measure_clock()
    return Swept()


class Worker:
    """Runs jobs and sweeps, and the caller's `more` sweeps, until it is told to stop."""

    def __init__(self, runtime: Runtime, courier: Courier, *, more: Sequence[Sweep] = ()) -> None:
        self._runtime = runtime
        self._courier = courier
        self._more = more

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until `stopping` is set; then finish what runs."""
        async with asyncio.TaskGroup() as group:
            group.create_task(reconcile(self._sweeps(), stopping))
            group.create_task(self._serve_queue(stopping))
        await self._courier.aclose()

    def _sweeps(self) -> list[Sweep]:
        return [*sweeps(self._runtime, self._courier), *self._more]

    async def _serve_queue(self, stopping: asyncio.Event) -> None:
        """Run arq's worker, and build a new one whenever Redis ends the old one."""
        while not stopping.is_set():
            try:
                await self._run_arq(stopping)
            except Exception as error:  # noqa: BLE001 - the reconciler works meanwhile
                log.warning("queue.lost", error=repr(error))
                await stops_within(stopping, REBUILD_PAUSE_S)

    async def _run_arq(self, stopping: asyncio.Event) -> None:
        arq = self._build()
        running = asyncio.create_task(arq.main())
        asked_to_stop = asyncio.create_task(stopping.wait())
        try:
            await arq.pool.ping()
            await self._restore()
            await asyncio.wait({running, asked_to_stop}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
        finally:
            await finish_jobs(arq)
            await cancel(running, asked_to_stop)
            await close(arq.pool)

    async def _restore(self) -> None:
        """Give the queue its jobs back after a time without it; the database may be away too."""
        try:
            restored = await restore_jobs(self._runtime.transactions, self._runtime.queue)
        except DATABASE_AWAY as error:
            log.info("queue.not_restored", error=repr(error))
        else:
            log.info("queue.reached", restored=restored)

    def _build(self) -> ArqWorker:
        settings = self._runtime.settings
        named = handlers(self._runtime.transactions, self._courier)
        worker = ArqWorker(
            [
                func(as_job(name, handler, self._runtime.clock), name=name)
                for name, handler in named.items()
            ],
            redis_pool=make_redis(settings.redis_url, connections=settings.worker_jobs + 4),
            job_serializer=serialize,
            job_deserializer=deserialize,
            handle_signals=False,
            max_jobs=settings.worker_jobs,
            queue_read_limit=max(100, settings.worker_jobs * 5),
            job_timeout=JOB_TIMEOUT_S,
            keep_result=0,  # a kept result would block its job's key
            max_tries=10_000,  # the row decides when a job is over
            poll_delay=POLL_S,
            log_results=False,
        )
        worker.functions = KnownJobs(worker.functions)
        return worker


class KnownJobs(dict[str, Function | CronJob]):
    """What each job does, by name; one of a later release is left in the queue.

    arq would drop a job that it does not know.
    """

    def __missing__(self, name: str) -> Function:
        """Return a handler that puts the job off, for a worker that knows it."""
        log.warning("job.unknown", job=name)
        return func(PUT_OFF, name=name)


async def put_off(_context: dict[Any, Any], *_arguments: object) -> None:
    """Leave a job to somebody else."""
    raise Retry(defer=UNKNOWN_AGAIN_S)


PUT_OFF: Callable[..., Coroutine[Any, Any, None]] = put_off


async def finish_jobs(arq: ArqWorker) -> None:
    """Let what runs end, and cancel what takes too long: a reconciler will do it again."""
    arq.allow_pick_jobs = False
    jobs = list(arq.tasks.values())
    if jobs:
        await asyncio.wait(jobs, timeout=COMPLETION_WAIT_S)
    await cancel(*jobs)


async def cancel(*tasks: asyncio.Task[Any]) -> None:
    """Cancel the tasks and wait until they have ended."""
    running = set(tasks)
    while running:
        for task in running:
            task.cancel()
        # Once is not enough: before Python 3.12, `asyncio.wait_for`, through which redis-py
        # sends, forgets a cancellation that comes just as it ends; arq would poll for ever.
        _, running = await asyncio.wait(running, timeout=CANCEL_AGAIN_S)
    await asyncio.gather(*tasks, return_exceptions=True)


async def close(redis: ArqRedis) -> None:
    """Give the worker's connections back, whatever state Redis is in.

    Not by arq's own `close`: that one asks redis-py in a way that it has deprecated.
    """
    try:
        await redis.aclose(close_connection_pool=True)
    except (RedisError, OSError, TimeoutError) as error:
        log.info("queue.close_failed", error=repr(error))


def as_job(
    name: str, handler: Callable[[str], Awaitable[Any]], clock: Callable[[], datetime]
) -> WorkerCoroutine:
    """Make a handler an arq job: arq drops a job that raises anything but `Retry`."""

    async def job(context: dict[Any, Any], argument: str) -> None:
        try:
            with span(
                f"job {name}",
                None,
                Kind.CONSUMER,
                attributes={
                    "incident_service.job": name,
                    "incident_service.job.argument": argument,
                },
                expected=(Later,),
            ):
                await handler(argument)
        except Later as early:
            raise Retry(defer=max((early.at - clock()).total_seconds(), 0.01)) from early
        except Exception as error:
            tries: int = context["job_try"]
            log.warning("job.failed", job=name, argument=argument, tries=tries, error=repr(error))
            raise Retry(defer=min(0.5 * 2.0 ** min(tries, 10), LONGEST_RETRY_S)) from error

    coroutine: Callable[..., Coroutine[Any, Any, None]] = job
    return coroutine
