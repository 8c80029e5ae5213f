"""What policies ask of the domains above them; `main` passes it in as `app.state.policy_hooks`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from incident_service.core.db import Tx
from incident_service.teams.auth import Principal


@dataclass(frozen=True, slots=True)
class PolicyHooks:
    """`count_open` counts the OPEN and ACKNOWLEDGED incidents that climb by a policy.

    `restart_open` copies the changed policy to them and starts them anew; without it,
    `apply_to_open` is refused.
    """

    count_open: Callable[[AsyncSession, UUID], Awaitable[int]]
    restart_open: Callable[[Tx, UUID, Principal], Awaitable[object]] | None = None
