"""What the worker does for retention: a round a day of each kind, in batches."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

from incident_service.core.db import Transactions
from incident_service.core.reconciler import Sweep, Swept
from incident_service.retention.closing import CLOSED_AT_ONCE, close_old
from incident_service.retention.pruning import KINDS, Batch, Kind, Place
from incident_service.retention.terms import Terms

# Every minute it is asked whether it is time: a sweep that says nothing for long looks stuck.
ASK_EVERY_S = 60.0
CLOSE_EVERY = timedelta(hours=1)
PRUNE_EVERY = timedelta(days=1)
# Between two batches others get on.
PAUSE = timedelta(milliseconds=200)


def retention_sweeps(transactions: Transactions, terms: Terms) -> list[Sweep]:
    """Return what the reconciler looks for."""
    closing = Closing(transactions, terms.close)
    rounds = [Round(transactions, kind, kind.keep(terms)) for kind in KINDS]
    return [
        Sweep("closing", closing.sweep, every_s=ASK_EVERY_S),
        *(
            Sweep(f"prune_{each.kind.name.replace(' ', '_')}", each.sweep, every_s=ASK_EVERY_S)
            for each in rounds
        ),
    ]


class Closing:
    """Closes what was resolved long ago, once an hour."""

    def __init__(self, transactions: Transactions, keep: timedelta | None) -> None:
        self._transactions = transactions
        self._keep = keep
        self._next_at: datetime | None = None

    async def sweep(self) -> Swept:
        """Close a batch, if it is time."""
        keep, now = self._keep, self._transactions.clock()
        if keep is None or (self._next_at and now < self._next_at):
            return Swept()
        closed = await self._transactions.run(lambda tx: close_old(tx, keep))
        if closed == CLOSED_AT_ONCE:
            return Swept(closed, next_in=PAUSE)
        self._next_at = now + CLOSE_EVERY
        return Swept(closed)


class Round:
    """Forgets what is old of a kind, once a day."""

    def __init__(self, transactions: Transactions, kind: Kind, keep: timedelta | None) -> None:
        self._transactions = transactions
        self._keep = keep
        self._place: Place | None = None
        self._next_at: datetime | None = None
        self.kind = kind

    async def sweep(self) -> Swept:
        """Forget a batch, if it is time."""
        now = self._transactions.clock()
        if self._keep is None or (self._next_at and now < self._next_at):
            return Swept()
        batch = await take(self._transactions, self.kind, now - self._keep, self._place)
        self._place = batch.place
        if batch.place is not None:
            return Swept(batch.gone.total(), next_in=PAUSE)
        self._next_at = now + PRUNE_EVERY
        return Swept(batch.gone.total())


async def take(
    transactions: Transactions, kind: Kind, before: datetime, place: Place | None
) -> Batch:
    """Do one batch in a transaction of its own."""
    return await transactions.run(lambda tx: kind.batch(tx, before, place))


async def prune_all(transactions: Transactions, kind: Kind, before: datetime) -> Counter[str]:
    """Forget all that is old of a kind, batch after batch; return what went."""
    gone: Counter[str] = Counter()
    async for batch in batches(transactions, kind, before):
        gone += batch.gone
    return gone


async def batches(transactions: Transactions, kind: Kind, before: datetime) -> AsyncIterator[Batch]:
    """Do one batch after the other, until there is nothing left to do."""
    batch = await take(transactions, kind, before, None)
    yield batch
    while batch.place is not None:
        batch = await take(transactions, kind, before, batch.place)
        yield batch
