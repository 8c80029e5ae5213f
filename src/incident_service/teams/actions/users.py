"""Make, change and delete people."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from incident_service.core.db import Tx
from incident_service.core.errors import Conflict
from incident_service.core.ids import new_id
from incident_service.core.rows import change_row, lock_to_delete
from incident_service.teams import queries
from incident_service.teams.auth import Principal
from incident_service.teams.hooks import PeopleHooks
from incident_service.teams.in_use import InUse, find_needs, refuse_while_in_use
from incident_service.teams.models import User
from incident_service.teams.schemas import UserCreate


class StillPaged(Conflict):
    """Policies or schedules still name this person."""


async def create_user(tx: Tx, wanted: UserCreate, *, by: Principal) -> User:
    """Make a person who can be paged.

    Raises:
        KeyLimited: the caller is limited to teams, and nobody is in a team yet when made.
    """
    by.require_every_team()
    user = User(
        id=new_id(),
        **wanted.model_dump(),
        is_active=True,
        created_at=tx.now,
        updated_at=tx.now,
    )
    tx.session.add(user)
    await tx.flush()
    return user


async def lock_own_person(tx: Tx, user_id: UUID, by: Principal) -> User:
    """Lock a person whom the caller may change.

    Raises:
        KeyLimited: others rely on the person too.
    """
    user = await queries.get_user(tx.session, user_id, lock=True)
    by.require_own_person(await queries.find_person(tx.session, user_id))
    return user


async def update_user(
    tx: Tx,
    user_id: UUID,
    changes: dict[str, Any],
    checks: Sequence[InUse],
    *,
    hooks: PeopleHooks,
    by: Principal,
) -> User:
    """Change the given columns; who becomes inactive is told nothing more.

    Raises:
        KeyLimited, RoleTooLow: see `Principal.require_own_person`.
        StillPaged: the person becomes inactive, and a check found who still pages them.
    """
    user = await lock_own_person(tx, user_id, by)
    if changes.get("is_active") is False and (named := await find_needs(tx, user_id, checks)):
        raise StillPaged(f"{named} Take them out there first, or send force=true.")
    was_active = user.is_active
    change_row(user, changes, tx.now)
    await tx.flush()
    if was_active and not user.is_active:
        await hooks.made_inactive(tx, user_id)
    return user


async def delete_user(tx: Tx, user_id: UUID, checks: Sequence[InUse], *, by: Principal) -> None:
    """Delete a person with memberships, contact methods and the API keys that act for them.

    Raises:
        KeyLimited: the caller is limited to teams.
        StillReferenced: a check found somebody who needs this person.
    """
    user = await queries.get_user(tx.session, user_id, lock=True)
    by.require_every_team()
    await lock_to_delete(tx.session, user)
    await refuse_while_in_use(tx, user_id, checks)
    await tx.session.delete(user)
    await tx.flush()
