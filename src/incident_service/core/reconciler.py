"""Do what is due in PostgreSQL and not done, whatever became of the job that should have done it.

The loop knows nothing of the domain: `worker` passes the sweeps in. It needs no Redis.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog

from incident_service.core.stopping import stops_within
from incident_service.observability import metrics

log = structlog.get_logger()
LONGEST_SLEEP_S = 2.0
"""Something new may come due at any time, made by a process whose jobs got lost."""
LONGEST_PAUSE_S = 8.0
PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Swept:
    """How much a sweep did, and how soon there is more to do; None: not before its usual time."""

    done: int = 0
    next_in: timedelta | None = None


@dataclass(slots=True)
class Sweep:
    """A named search for overdue work, every `every_s` seconds at the least.

    Each sweep has a loop of its own: one that is slow or broken does not hold up the others.
    """

    name: str
    run: Callable[[], Awaitable[Swept]]
    every_s: float = LONGEST_SLEEP_S
    failures: int = 0


async def reconcile(sweeps: Sequence[Sweep], stopping: asyncio.Event) -> None:
    """Keep every sweep going until `stopping` is set."""
    async with asyncio.TaskGroup() as group:
        for sweep in sweeps:
            group.create_task(keep_sweeping(sweep, stopping))


async def keep_sweeping(sweep: Sweep, stopping: asyncio.Event) -> None:
    """Run a sweep whenever it has something to do, asleep in between."""
    metrics.SWEEP_FAILURES.labels(sweep.name)  # from 0, so that the first failure is an increase
    while not stopping.is_set():
        await stops_within(stopping, await run_once(sweep))


async def run_once(sweep: Sweep) -> float:
    """Run a sweep and return how many seconds it may sleep; a failure is logged and ends here.

    After failures it rests for longer each time, so that it does not fill the log.
    """
    try:
        async with asyncio.timeout(PATIENCE_S):
            swept = await sweep.run()
    except Exception as error:  # noqa: BLE001 - the next round is the answer to any failure
        sweep.failures += 1
        metrics.SWEEP_FAILURES.labels(sweep.name).inc()
        log.warning("sweep.failed", sweep=sweep.name, error=repr(error), failures=sweep.failures)
        return min(sweep.every_s * 2.0 ** min(sweep.failures, 8), LONGEST_PAUSE_S)
    sweep.failures = 0
    metrics.SWEEP_LAST_SUCCESS.labels(sweep.name).set_to_current_time()
    if swept.done:
        metrics.SWEEP_WORK.labels(sweep.name).inc(swept.done)
        log.info("sweep.did", sweep=sweep.name, done=swept.done)
    return sleep_s(sweep, swept)


def sleep_s(sweep: Sweep, swept: Swept) -> float:
    """Decide how long to sleep: until more is due, and never beyond the sweep's usual time."""
    if swept.next_in is None:
        return sweep.every_s
    return min(max(swept.next_in.total_seconds(), 0.0), sweep.every_s)
