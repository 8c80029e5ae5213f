"""Find rows that are due and work them off as sets, so that one poisoned row never holds others."""

from collections.abc import Awaitable, Callable, Collection, Hashable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar
from uuid import UUID

import structlog

from incident_service.core.db import Transactions, Tx
from incident_service.core.reconciler import Swept

log = structlog.get_logger()
BATCH = 100

FIRST_REST = timedelta(seconds=2)
LONGEST_REST = timedelta(minutes=5)
# More failing rows than this at once is not a matter of rows.
MOST_RESTING = 1_000

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Rest:
    """How often something failed in a row, and until when it is left alone."""

    failures: int
    until: datetime


class Resting(Generic[Key]):
    """Which keys failed lately: each rests twice as long as the time before, up to 5 min.

    Kept in this process only. Another one finds out for itself, which costs it one failure.
    """

    def __init__(self) -> None:
        self._rests: dict[Key, Rest] = {}

    def failed(self, key: Key, now: datetime) -> None:
        """Let a key rest."""
        failures = self._rests[key].failures + 1 if key in self._rests else 1
        doubled: timedelta = FIRST_REST * 2 ** min(failures - 1, 10)
        self._rests[key] = Rest(failures, now + min(doubled, LONGEST_REST))
        if len(self._rests) > MOST_RESTING:
            del self._rests[next(iter(self._rests))]

    def worked(self, key: Key) -> None:
        """Forget what was wrong with a key."""
        self._rests.pop(key, None)

    def at(self, now: datetime) -> list[Key]:
        """Return the keys to leave alone."""
        return [key for key, rest in self._rests.items() if rest.until > now]


@dataclass(slots=True)
class DueRows:
    """A kind of row that comes due, for the reconciler.

    `find(tx, resting, limit)` returns due rows by their ids, locked, and passes over those that
    rest or that others work on; `run(tx, ids)` does what they ask for and says how many it did;
    `next_due(tx)` is when the next of those comes due that are not due yet, None for never.
    """

    name: str
    transactions: Transactions
    find: Callable[[Tx, Collection[UUID], int], Awaitable[Sequence[UUID]]]
    run: Callable[[Tx, Sequence[UUID]], Awaitable[int]]
    next_due: Callable[[Tx], Awaitable[datetime | None]]
    resting: Resting[UUID] = field(default_factory=Resting)

    async def sweep(self) -> Swept:
        """Work off one batch in one transaction; when that fails, each row in one of its own."""
        found: list[UUID] = []

        async def together(tx: Tx) -> Swept:
            found[:] = await self.find(tx, self.resting.at(tx.now), BATCH)
            done = await self.run(tx, found) if found else 0
            if len(found) == BATCH:
                return Swept(done, next_in=timedelta(0))
            due_at = await self.next_due(tx)
            return Swept(done, next_in=None if due_at is None else due_at - tx.now)

        try:
            return await self.transactions.run(together)
        except Exception as error:
            if not found:
                raise
            log.warning("due.batch_failed", kind=self.name, rows=len(found), error=repr(error))
        return Swept(await self._one_by_one(found), next_in=timedelta(0))

    async def _one_by_one(self, row_ids: Sequence[UUID]) -> int:
        done = 0
        for row_id in row_ids:
            try:
                done += await self._run_alone(row_id)
            except Exception as error:  # noqa: BLE001 - it stays due and is tried again
                self.resting.failed(row_id, self.transactions.clock())
                log.error("due.row_failed", kind=self.name, id=row_id, error=repr(error))  # noqa: TRY400
            else:
                self.resting.worked(row_id)
        return done

    async def _run_alone(self, row_id: UUID) -> int:
        return await self.transactions.run(lambda tx: self.run(tx, [row_id]))
