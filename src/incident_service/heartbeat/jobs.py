"""Handlers: what the worker does for canaries, when a job comes and when none came."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from incident_service.core.db import Transactions, Tx
from incident_service.core.due import DueRows
from incident_service.core.queue import Later
from incident_service.core.reconciler import Swept
from incident_service.heartbeat import actions, queries
from incident_service.heartbeat.models import Canary

# The job of a canary has this long to do it, before the reconciler does.
GRACE = timedelta(seconds=1)


async def advance_canary(transactions: Transactions, canary_id: str) -> None:
    """Handle `jobs.ADVANCE_CANARY`.

    Raises:
        Later: it is not due yet by the database's clock.
    """

    async def work(tx: Tx) -> None:
        canary = await tx.session.get(Canary, UUID(canary_id))
        if canary is not None and canary.due_at > tx.now:
            raise Later(canary.due_at)
        await actions.advance(tx, [UUID(canary_id)])

    await transactions.run(work)


async def plant_canary(transactions: Transactions) -> Swept:
    """Plant the next minute's canary, for the reconciler; there is more to do at that minute."""

    async def work(tx: Tx) -> Swept:
        due_at = await actions.plant(tx)
        return Swept(next_in=due_at - tx.now)

    return await transactions.run(work)


def overdue_canaries(transactions: Transactions) -> DueRows:
    """Return the canaries whose job is late or lost, for the reconciler."""

    async def find(tx: Tx, resting: Collection[UUID], limit: int) -> Sequence[UUID]:
        return await queries.find_overdue_canaries(
            tx.session, tx.now - GRACE, limit, without=resting
        )

    async def next_due(tx: Tx) -> datetime | None:
        due_at = await queries.next_canary_due(tx.session, tx.now - GRACE)
        return due_at + GRACE if due_at else None

    return DueRows("canaries", transactions, find, actions.advance, next_due)
