"""Handlers: what the worker does when a timer's job comes, and when none came."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from incident_service import jobs
from incident_service.core.batching import Batches
from incident_service.core.db import Transactions, Tx
from incident_service.core.due import DueRows
from incident_service.core.queue import ArqQueue, Later
from incident_service.escalation import queries, timers

# The job of a timer has this long to do it, before the reconciler does.
GRACE = timedelta(seconds=1)
TIMERS_AT_ONCE = 100
RESTORED_AHEAD = timedelta(hours=1)
RESTORED_AT_ONCE = 1_000


class TimerJobs:
    """Runs the timers whose jobs came; those that come together share a transaction.

    A job that comes first works off whatever is due, and spares the queue the others' jobs: the
    further a worker is behind, the more it does at once.
    """

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._due = overdue_timers(transactions, grace=timedelta(0))
        self._batches = Batches(self._run_together, most=TIMERS_AT_ONCE)

    async def run(self, row_id: str) -> None:
        """Handle `jobs.RUN_TIMER`.

        Raises:
            Later: it is not due yet by the database's clock.
        """
        early = await self._batches.submit(UUID(row_id))
        if early is not None:
            raise Later(early)

    async def _run_together(self, row_ids: Sequence[UUID]) -> list[datetime | None]:
        await self._due.sweep()
        # Those that it passed over: early, or at work elsewhere and perhaps not taken there.
        ran = await self._transactions.run(lambda tx: timers.run(tx, row_ids))
        return [ran.early.get(row_id) for row_id in row_ids]


def overdue_timers(transactions: Transactions, grace: timedelta = GRACE) -> DueRows:
    """Return the timers whose job is late or lost, for the reconciler."""

    async def find(tx: Tx, resting: Collection[UUID], limit: int) -> list[UUID]:
        return await queries.overdue(tx.session, tx.now - grace, limit, without=resting)

    async def run(tx: Tx, row_ids: Sequence[UUID]) -> int:
        for row_id in row_ids:
            tx.withdraw(str(row_id))
        return (await timers.run(tx, row_ids)).count

    async def next_due(tx: Tx) -> datetime | None:
        due_at = await queries.next_due(tx.session, tx.now - grace)
        return due_at + grace if due_at else None

    return DueRows("timers", transactions, find, run, next_due)


async def restore_jobs(transactions: Transactions, queue: ArqQueue) -> int:
    """Give the queue back the jobs it has lost, of timers due within an hour; return how many.

    Raises:
        QueueDown: the queue is away.
    """
    restored = 0
    after: tuple[datetime, UUID] | None = None
    while True:
        async with transactions.open() as tx:
            until = tx.now + RESTORED_AHEAD
            rows = await queries.pending(tx.session, until, after=after, limit=RESTORED_AT_ONCE)
        restored += await queue.restore([jobs.run_timer(row_id, at) for at, row_id in rows])
        if len(rows) < RESTORED_AT_ONCE:
            return restored
        after = rows[-1]
