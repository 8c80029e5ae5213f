"""Refuse to delete what others still need, where no foreign key can hold it.

Domains above say what they need: `main` passes their checks in as `app.state.user_in_use`.
"""

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from incident_service.core.db import Tx
from incident_service.core.errors import Conflict

InUse = Callable[[Tx, UUID], Awaitable[str | None]]
"""Says in a sentence what still needs the row of this id, or None."""


class StillReferenced(Conflict):
    """Something else still refers to it."""


async def find_needs(tx: Tx, row_id: UUID, checks: Sequence[InUse]) -> str:
    """Return in sentences what still needs the row; empty when nothing does."""
    found = [sentence for check in checks if (sentence := await check(tx, row_id))]
    return " ".join(found)


async def refuse_while_in_use(tx: Tx, row_id: UUID, checks: Sequence[InUse]) -> None:
    """Ask every check; the row must be locked, so that nobody starts to need it meanwhile.

    Raises:
        StillReferenced: somebody needs it.
    """
    if named := await find_needs(tx, row_id, checks):
        raise StillReferenced(named)
