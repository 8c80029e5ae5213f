"""What policies ask of the domains above them; `main` passes it in as `app.state.policy_hooks`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from incident_service.core.db import Tx
from incident_service.teams.auth import Principal


@dataclass(frozen=True, slots=True)
class PolicyHooks:
    """`count_open` counts the OPEN and ACKNOWLEDGED incidents that have a copy of a policy.

    `restart_open` copies the changed policy to those that climb, starts them anew and returns
    how many they were.
    """

    count_open: Callable[[AsyncSession, UUID], Awaitable[int]]
    restart_open: Callable[[Tx, UUID, Principal], Awaitable[int]]
