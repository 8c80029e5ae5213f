"""What policies ask of the domains above them; `main` passes it in as `app.state.policy_hooks`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from incident_service.core.db import Tx
from incident_service.policies.models import EscalationPolicy
from incident_service.teams.auth import Principal


@dataclass(frozen=True, slots=True)
class PolicyHooks:
    """`count_open` counts the OPEN and ACKNOWLEDGED incidents that have a copy of a policy.

    `restart_open` copies the changed policy to those that climb, starts them anew and returns
    how many they were. `say_which_services_use` names the services that page by a policy, by name
    or because it is their team's default.
    """

    count_open: Callable[[AsyncSession, UUID], Awaitable[int]]
    restart_open: Callable[[Tx, UUID, Principal], Awaitable[int]]
    say_which_services_use: Callable[[Tx, EscalationPolicy], Awaitable[str | None]]
