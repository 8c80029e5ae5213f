"""Make, change, revoke and delete API keys."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from incident_service.core import tokens
from incident_service.core.db import Tx
from incident_service.core.errors import Conflict, Invalid
from incident_service.core.ids import new_id
from incident_service.core.rows import change_row
from incident_service.teams import queries
from incident_service.teams.auth import KeyLimited, Principal
from incident_service.teams.models import ApiKey, Team, User
from incident_service.teams.schemas import ApiKeyCreate


class BootstrapKeyStays(Conflict):
    """The setting BOOTSTRAP_API_KEY would make this key again at the next start; revoke it."""


async def create_api_key(tx: Tx, wanted: ApiKeyCreate, *, by: Principal) -> tuple[ApiKey, str]:
    """Make a key and return it with its text, which is kept nowhere.

    Raises:
        KeyLimited: the key would reach further than the caller's own.
        Invalid: a team or the person does not exist, or it has expired already.
    """
    require_future(wanted.expires_at, tx.now)
    await require_teams(tx, wanted.team_ids, by)
    await require_user(tx, wanted.user_id, by)
    token = tokens.make("isk")
    key = ApiKey(
        id=new_id(),
        **wanted.model_dump(mode="json", include={"name", "scopes", "team_ids"}),
        key_digest=token.digest,
        hint=token.hint,
        user_id=wanted.user_id,
        is_bootstrap=False,
        expires_at=wanted.expires_at,
        created_at=tx.now,
        updated_at=tx.now,
    )
    tx.session.add(key)
    await tx.flush()
    return key, token.text


def require_future(expires_at: datetime | None, now: datetime) -> None:
    """Refuse an expiry that has passed.

    Raises:
        Invalid: it is not in the future.
    """
    if expires_at is not None and expires_at <= now:
        raise Invalid("This is not in the future; revoke a key to end it now.", "/expires_at")


async def require_teams(tx: Tx, team_ids: Collection[UUID] | None, by: Principal) -> None:
    """Refuse teams that do not exist or are not the caller's; None means every team.

    Raises:
        KeyLimited: a limited key cannot make an unlimited one.
        Invalid: a team does not exist for the caller.
    """
    if team_ids is None:
        if by.team_ids is not None:
            raise KeyLimited("A key that is limited to teams makes only keys limited to them.")
        return
    found = set(await tx.session.scalars(select(Team.id).where(Team.id.in_(team_ids))))
    for index, team_id in enumerate(team_ids):
        if team_id not in found or not by.sees(team_id):
            raise Invalid("There is no such team.", f"/team_ids/{index}")


async def require_user(tx: Tx, user_id: UUID | None, by: Principal) -> None:
    """Refuse a person who does not exist or is inactive, or in whose name the caller cannot act.

    Raises:
        Invalid: nobody can act through the key.
        KeyLimited: the person is in none of the caller's teams.
    """
    if user_id is None:
        return
    user = await tx.session.get(User, user_id, with_for_update={"read": True})
    if user is None or not user.is_active:
        raise Invalid("There is no such active user.", "/user_id")
    by.require_colleague(await queries.find_person(tx.session, user_id))


async def update_api_key(
    tx: Tx, api_key_id: UUID, changes: dict[str, Any], *, by: Principal
) -> ApiKey:
    """Change the name or the expiry.

    Raises:
        Invalid: the new expiry has passed already.
    """
    key = await queries.get_api_key(tx.session, api_key_id, by, lock=True)
    require_future(changes.get("expires_at"), tx.now)
    change_row(key, changes, tx.now)
    await tx.flush()
    return key


async def revoke_api_key(tx: Tx, api_key_id: UUID, *, by: Principal) -> ApiKey:
    """End a key for good; a second time changes nothing."""
    key = await queries.get_api_key(tx.session, api_key_id, by, lock=True)
    if key.revoked_at is None:
        change_row(key, {"revoked_at": tx.now}, tx.now)
        await tx.flush()
    return key


async def delete_api_key(tx: Tx, api_key_id: UUID, *, by: Principal) -> None:
    """End a key and forget it.

    Raises:
        BootstrapKeyStays: its row is what keeps it from being made again.
    """
    key = await queries.get_api_key(tx.session, api_key_id, by, lock=True)
    if key.is_bootstrap:
        raise BootstrapKeyStays
    await tx.session.delete(key)
    await tx.flush()
