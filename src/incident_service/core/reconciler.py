"""Do what is due in PostgreSQL and not done, whatever became of the job that should have done it.

The loop knows nothing of the domain: `worker` passes the sweeps in. It needs no Redis.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import structlog

from incident_service.core.clock import monotonic_s
from incident_service.core.stopping import stops_within
from incident_service.observability import metrics

log = structlog.get_logger()
PERIOD_S = 1.0
LONGEST_PAUSE_S = 8.0
PATIENCE_S = 30.0


@dataclass(slots=True)
class Sweep:
    """A named search for overdue work; `run` does some of it and says how much it did.

    A sweep that fails rests for longer each time, so that one broken sweep neither stops the
    others nor fills the log.
    """

    name: str
    run: Callable[[], Awaitable[int]]
    every_s: float = PERIOD_S
    failures: int = 0
    next_at_s: float = field(default=0.0)

    def succeeded(self, now_s: float) -> None:
        """Plan the next run after a good one."""
        self.failures = 0
        self.next_at_s = now_s + self.every_s

    def failed(self, now_s: float) -> None:
        """Plan the next run after a bad one."""
        self.failures += 1
        self.next_at_s = now_s + min(self.every_s * 2.0 ** min(self.failures, 8), LONGEST_PAUSE_S)


async def reconcile(sweeps: Sequence[Sweep], stopping: asyncio.Event) -> None:
    """Run every sweep once in its period until `stopping` is set."""
    while True:
        await asyncio.gather(*map(run_when_due, sweeps))
        if await stops_within(stopping, PERIOD_S):
            return


async def run_when_due(sweep: Sweep) -> None:
    """Run one sweep if its time has come; a failure is logged and ends with this sweep."""
    if monotonic_s() < sweep.next_at_s:
        return
    try:
        async with asyncio.timeout(PATIENCE_S):
            done = await sweep.run()
    except Exception as error:  # noqa: BLE001 - the next round is the answer to any failure
        sweep.failed(monotonic_s())
        metrics.SWEEP_FAILURES.labels(sweep.name).inc()
        log.warning("sweep.failed", sweep=sweep.name, error=repr(error), failures=sweep.failures)
        return
    sweep.succeeded(monotonic_s())
    metrics.SWEEP_LAST_SUCCESS.labels(sweep.name).set_to_current_time()
    if done:
        metrics.SWEEP_WORK.labels(sweep.name).inc(done)
        log.info("sweep.did", sweep=sweep.name, done=done)
