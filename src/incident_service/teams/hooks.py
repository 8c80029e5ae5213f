"""What teams ask of the domains above them; `main` passes it in as `app.state.people_hooks`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from incident_service.core.db import Tx


@dataclass(frozen=True, slots=True)
class PeopleHooks:
    """`was_told` says whether a contact method was told of incidents: that record is kept.

    `address_changed` takes back the codes and tests that are still to be sent to a contact method.
    `made_inactive` takes back what is still to be sent to a user.
    """

    was_told: Callable[[Tx, UUID], Awaitable[bool]]
    address_changed: Callable[[Tx, UUID], Awaitable[None]]
    made_inactive: Callable[[Tx, UUID], Awaitable[None]]
