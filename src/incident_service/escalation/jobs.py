"""Handlers: what the worker does when a timer's job comes, and when none came."""

from datetime import timedelta
from uuid import UUID

import structlog

from incident_service.core.db import Transactions, Tx
from incident_service.escalation import queries, timers

log = structlog.get_logger()
# The job of a timer has this long to do it, before the reconciler does.
GRACE = timedelta(seconds=1)
BATCH = 100


async def run_timer(transactions: Transactions, row_id: str) -> None:
    """Run one timer.

    Raises:
        Later: it is not due yet by the database's clock.
    """
    await transactions.run(lambda tx: timers.run(tx, [UUID(row_id)]))


async def run_overdue(transactions: Transactions, grace: timedelta = GRACE) -> int:
    """Run the timers whose job is late or lost; return how many ran.

    One transaction for all of them; when that fails, one for each, so that a single bad incident
    does not hold up the others.
    """
    found: list[UUID] = []

    async def run_batch(tx: Tx) -> int:
        found[:] = await queries.overdue(tx.session, tx.now - grace, BATCH)
        return await timers.run(tx, found) if found else 0

    try:
        return await transactions.run(run_batch)
    except Exception as error:
        if len(found) <= 1:
            raise
        log.warning("reconciler.batch_failed", size=len(found), error=repr(error))
    return await run_one_by_one(transactions, found)


async def run_one_by_one(transactions: Transactions, row_ids: list[UUID]) -> int:
    """Run each timer on its own; those that fail are logged and stay pending."""
    done = 0
    for row_id in row_ids:
        try:
            await run_timer(transactions, str(row_id))
            done += 1
        except Exception as error:  # noqa: BLE001 - it stays pending and is tried again
            log.error("timer.failed", escalation_job_id=str(row_id), error=repr(error))  # noqa: TRY400
    return done
