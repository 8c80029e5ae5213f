"""What the worker does for webhook subscriptions: read events, deliver them, forget old ones."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from incident_service.core.db import Transactions, Tx
from incident_service.core.due import DueRows
from incident_service.core.reconciler import Sweep, Swept
from incident_service.subscriptions import actions, queries, reading
from incident_service.subscriptions.dispatch import Dispatcher

LOOK_EVERY_S = 1.0
FORGET_EVERY_S = 60.0


def webhook_sweeps(transactions: Transactions, dispatcher: Dispatcher) -> list[Sweep]:
    """Return what the reconciler looks for."""
    unread = unread_events(transactions)
    return [
        Sweep(unread.name, unread.sweep, every_s=LOOK_EVERY_S),
        Sweep("webhooks", dispatcher.sweep, every_s=LOOK_EVERY_S),
        Sweep("webhook_log", lambda: forget_old(transactions), every_s=FORGET_EVERY_S),
    ]


def unread_events(transactions: Transactions) -> DueRows:
    """Return the subscriptions that have events to read, for the reconciler."""

    async def find(tx: Tx, resting: Collection[UUID], limit: int) -> Sequence[UUID]:
        return await queries.lock_behind(tx.session, limit, without=resting)

    async def next_due(_tx: Tx) -> datetime | None:
        return None  # nobody knows when something will happen

    return DueRows("webhook_events", transactions, find, reading.read, next_due)


async def forget_old(transactions: Transactions) -> Swept:
    """Delete old entries of the delivery log, a bounded number."""
    return Swept(await transactions.run(actions.forget_old))
