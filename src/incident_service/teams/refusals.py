"""Keep in the audit log which keys were refused, without letting anybody fill it.

Of requests that are alike, the first is written, the tenth, the hundredth, and so on; of those that
are not, the first few of each ten minutes, and the rest as one. Each process counts by itself.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from fastapi import Request

from incident_service.core.actor import Actor
from incident_service.core.audit import AuditEntry
from incident_service.core.calls import current_call
from incident_service.core.db import DATABASE_AWAY, Transactions, Tx
from incident_service.core.errors import DomainError
from incident_service.core.ids import new_id
from incident_service.core.tokens import HINT_LENGTH
from incident_service.web.request import operation_of

log = structlog.get_logger()

WINDOW = timedelta(minutes=10)
MOST_APART = 20
OURS = ("isk_", "isi_")
# What is not one of our keys may be a password that went astray.
SHOWN_OF_OTHERS = 4
# Only what goes past the routes has no operation; see `alerts.api.shortcut`.
WITHOUT_ROUTE = "ingest_alertmanager"


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a request asked for, why it was refused, how its key begins, where it came from."""

    action: str
    code: str
    key_hint: str
    address: str | None


OTHERS = Refusal("others", "others", "", None)


class Tally:
    """Counts refusals that are alike, and says which are worth a row."""

    def __init__(self) -> None:
        self._window = 0
        self._counts: Counter[Refusal] = Counter()

    def count(self, refusal: Refusal, at: datetime) -> tuple[Refusal, int] | None:
        """Count one; return what to write, and how many there were, or None."""
        window = int(at.timestamp() // WINDOW.total_seconds())
        if window != self._window:
            self._window = window
            self._counts.clear()
        if refusal not in self._counts and len(self._counts) >= MOST_APART:
            refusal = OTHERS
        self._counts[refusal] += 1
        counted = self._counts[refusal]
        return (refusal, counted) if is_power_of_ten(counted) else None


def is_power_of_ten(number: int) -> bool:
    """Say whether it is 1, 10, 100, and so on."""
    return str(number).strip("0") == "1"


def hint_of(key: str) -> str:
    """Return what may be shown of a key that somebody has sent."""
    length = HINT_LENGTH if key.startswith(OURS) else SHOWN_OF_OTHERS
    return "".join(char if char.isascii() and char.isprintable() else "?" for char in key[:length])


class Refusals:
    """Writes refused requests down. `find_key` returns the key that a request carries."""

    def __init__(
        self, transactions: Transactions, find_key: Callable[[Request], str | None]
    ) -> None:
        self._transactions = transactions
        self._find_key = find_key
        self._tally = Tally()

    async def note(self, request: Request, error: DomainError) -> None:
        """Write a refused request down when it is worth it; without a key there was no attempt.

        The request is answered whether or not this succeeds.
        """
        key = self._find_key(request)
        if not key:
            return
        address = request.client.host if request.client else None
        action = operation_of(request) or WITHOUT_ROUTE
        refusal = Refusal(action, error.code, hint_of(key), address)
        worth = self._tally.count(refusal, self._transactions.clock())
        if worth is None:
            return
        try:
            await self._write(request, *worth)
        except DATABASE_AWAY as failure:
            log.warning("key.refusal_not_kept", error=type(failure).__name__)

    async def _write(self, request: Request, refusal: Refusal, count: int) -> None:
        principal = getattr(request.state, "principal", None)
        actor = principal.actor if principal else Actor("unknown", None, "")
        if refusal is OTHERS:
            actor = Actor("unknown", None, "")
        action = operation_of(request) if refusal is OTHERS else refusal.action
        refused = {
            "code": refusal.code,
            "key_hint": refusal.key_hint,
            "address": refusal.address,
        }
        call = current_call()

        async def write(tx: Tx) -> None:
            tx.add_row(
                AuditEntry,
                {
                    "id": new_id(),
                    "at": tx.now,
                    "action": action,
                    "actor_type": actor.type,
                    "actor_id": actor.id,
                    "actor_name": actor.name,
                    "refused": refused,
                    "count": count,
                    "call_id": call.request_id if call else None,
                },
            )

        await self._transactions.run(write)
        log.warning("key.refused", action=action, actor_id=str(actor.id), count=count, **refused)
