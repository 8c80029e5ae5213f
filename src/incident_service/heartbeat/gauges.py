"""Bring the gauges up to date that are read from outside of the process, when Prometheus asks."""

import asyncio
import math

import structlog
from sqlalchemy.pool import QueuePool

from incident_service.catalog.priority import Priority
from incident_service.core.db import DATABASE_AWAY
from incident_service.core.queue import QueueDown
from incident_service.core.runtime import Runtime
from incident_service.heartbeat.queries import Standing, load_standing
from incident_service.incidents.lifecycle import Status
from incident_service.observability import metrics

log = structlog.get_logger()
# Prometheus gives up after 10 s by default.
PATIENCE_S = 2.0
OF_ROWS = (
    metrics.EXHAUSTED_INCIDENTS,
    metrics.UNPAGED_INCIDENTS,
    metrics.HELD_INCIDENTS,
    metrics.MAINTENANCE_WINDOWS,
    metrics.PAUSED_SUBSCRIPTIONS,
    metrics.OVERDUE_TIMER,
    metrics.OVERDUE_PAGE,
    metrics.CANARY_AGE,
)


async def measure(runtime: Runtime) -> None:
    """Measure all of it; whatever does not answer in time is shown as away."""
    measure_pool(runtime)
    await asyncio.gather(measure_rows(runtime), measure_queue(runtime))


def measure_pool(runtime: Runtime) -> None:
    """Look at this process's connections to PostgreSQL."""
    pool = runtime.engine.pool
    assert isinstance(pool, QueuePool)
    metrics.POOL_SIZE.set(pool.size())
    metrics.POOL_IN_USE.set(pool.checkedout())


async def measure_rows(runtime: Runtime) -> None:
    """Look at what PostgreSQL holds."""
    try:
        async with asyncio.timeout(PATIENCE_S), runtime.transactions.sessions() as session:
            standing = await load_standing(session, runtime.clock())
    except DATABASE_AWAY as error:
        log.warning("metrics.rows_not_read", error=repr(error))
        forget_rows()
    else:
        show_rows(standing)


def show_rows(standing: Standing) -> None:
    """Set the gauges of what PostgreSQL holds; what there is none of is shown as 0."""
    metrics.DATABASE_UP.set(1)
    for status in filter(lambda each: each.is_active, Status):
        for priority in Priority:
            count = standing.active.get((status, priority), 0)
            metrics.ACTIVE_INCIDENTS.labels(status.value.lower(), priority.value).set(count)
    metrics.EXHAUSTED_INCIDENTS.set(standing.exhausted)
    metrics.UNPAGED_INCIDENTS.set(standing.with_nobody_to_page)
    metrics.HELD_INCIDENTS.set(standing.held)
    metrics.MAINTENANCE_WINDOWS.set(standing.windows)
    metrics.PAUSED_SUBSCRIPTIONS.set(standing.paused_subscriptions)
    metrics.OVERDUE_TIMER.set(standing.lateness.timer.total_seconds())
    metrics.OVERDUE_PAGE.set(standing.lateness.page.total_seconds())
    age = standing.canary_age
    metrics.CANARY_AGE.set(math.inf if age is None else age.total_seconds())


def forget_rows() -> None:
    """Show nothing that is no longer known to be so."""
    metrics.DATABASE_UP.set(0)
    metrics.ACTIVE_INCIDENTS.clear()
    for gauge in OF_ROWS:
        gauge.set(math.nan)


async def measure_queue(runtime: Runtime) -> None:
    """Look at Redis."""
    try:
        depth = await runtime.queue.depth()
    except QueueDown:
        metrics.QUEUE_UP.set(0)
        metrics.QUEUE_DEPTH.set(math.nan)
    else:
        metrics.QUEUE_UP.set(1)
        metrics.QUEUE_DEPTH.set(depth)
