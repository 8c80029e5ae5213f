"""Make, change and delete a team's channels.

What a manager sets is taken at its word: these kinds reach machines and chats, never a stranger.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from incident_service.core.db import Tx
from incident_service.core.ids import new_id
from incident_service.core.rows import change_row, lock_to_delete
from incident_service.teams import queries
from incident_service.teams.actions.contact_methods import (
    NotSigned,
    delete_or_retire,
    make_signing_secret,
    require_usable,
)
from incident_service.teams.auth import Principal
from incident_service.teams.hooks import PeopleHooks
from incident_service.teams.in_use import InUse, refuse_while_in_use
from incident_service.teams.models import Channel, ContactMethod
from incident_service.teams.schemas import TeamChannelCreate


async def create_team_channel(
    tx: Tx, team_id: UUID, wanted: TeamChannelCreate, *, by: Principal
) -> ContactMethod:
    """Make a channel; a webhook gets a secret to be signed with.

    Raises:
        TeamNotFound: the team does not exist for the caller.
        AddressNotUsable: the channel cannot use the address.
    """
    await queries.get_team(tx.session, team_id, by, lock=True)
    require_usable(wanted.kind, wanted.address)
    channel = ContactMethod(
        id=new_id(),
        team_id=team_id,
        **wanted.model_dump(),
        is_enabled=True,
        signing_secret=make_signing_secret(wanted.kind),
        created_at=tx.now,
        updated_at=tx.now,
    )
    tx.session.add(channel)
    await tx.flush()
    return channel


async def update_team_channel(
    tx: Tx,
    team_id: UUID,
    channel_id: UUID,
    changes: dict[str, Any],
    *,
    hooks: PeopleHooks,
    by: Principal,
) -> ContactMethod:
    """Change the given columns; a webhook keeps its secret when its address changes.

    Raises:
        AddressNotUsable: the channel cannot use the new address.
    """
    channel = await lock_team_channel(tx, team_id, channel_id, by)
    is_another = changes.get("address", channel.address) != channel.address
    if is_another:
        require_usable(channel.kind, changes["address"])
    change_row(channel, changes, tx.now)
    await tx.flush()
    if is_another:
        await hooks.address_changed(tx, channel.id)
    return channel


async def rotate_team_channel_secret(
    tx: Tx, team_id: UUID, channel_id: UUID, *, by: Principal
) -> ContactMethod:
    """Give a webhook a new secret; the old one signs nothing any more.

    Raises:
        NotSigned: it is not a webhook.
    """
    channel = await lock_team_channel(tx, team_id, channel_id, by)
    if channel.kind is not Channel.WEBHOOK:
        raise NotSigned
    change_row(channel, {"signing_secret": make_signing_secret(channel.kind)}, tx.now)
    await tx.flush()
    return channel


async def delete_team_channel(
    tx: Tx,
    team_id: UUID,
    channel_id: UUID,
    checks: Sequence[InUse],
    *,
    hooks: PeopleHooks,
    by: Principal,
) -> None:
    """Delete it, or retire it when it was told of incidents.

    Raises:
        StillReferenced: a check found that it is still needed.
    """
    channel = await lock_team_channel(tx, team_id, channel_id, by)
    await lock_to_delete(tx.session, channel)
    await refuse_while_in_use(tx, channel_id, checks)
    await delete_or_retire(tx, channel, hooks)


async def lock_team_channel(
    tx: Tx, team_id: UUID, channel_id: UUID, by: Principal
) -> ContactMethod:
    """Lock the channel, and before it its team."""
    await queries.get_team(tx.session, team_id, by, lock=True)
    return await queries.get_team_channel(tx.session, team_id, channel_id, lock=True)
