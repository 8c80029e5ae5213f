"""HTTP: the channels of a team, which levels tell in addition to people."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request

from incident_service.core.db import Tx
from incident_service.teams import queries
from incident_service.teams.actions import team_channels as actions
from incident_service.teams.api.hooks import Hooks
from incident_service.teams.auth import Manager, Principal, Reader
from incident_service.teams.in_use import InUse
from incident_service.teams.repeatable import RepeatableRoute
from incident_service.teams.schemas import (
    TeamChannelCreate,
    TeamChannelCreated,
    TeamChannelPage,
    TeamChannelRead,
    TeamChannelUpdate,
)
from incident_service.web.conditional import IfMatch, IfNoneMatch, Tagged
from incident_service.web.lists.pagination import PageQuery, page_query
from incident_service.web.request import InTx

router = APIRouter(
    prefix="/teams/{team_id}/channels", tags=["team channels"], route_class=RepeatableRoute
)


def team_channel_in_use(request: Request) -> Sequence[InUse]:
    """Return what the domains above want to be asked before a channel goes."""
    checks: Sequence[InUse] = request.app.state.team_channel_in_use
    return checks


async def locked(tx: Tx, team_id: UUID, channel_id: UUID, principal: Principal) -> TeamChannelRead:
    """Lock the team and the channel, and show that."""
    channel = await actions.lock_team_channel(tx, team_id, channel_id, principal)
    return TeamChannelRead.model_validate(channel)


@router.get("")
async def list_team_channels(
    tx: InTx,
    principal: Reader,
    team_id: UUID,
    page: Annotated[PageQuery, Depends(page_query)],
) -> TeamChannelPage:
    """List a team's channels, oldest first."""
    await queries.get_team(tx.session, team_id, principal)
    rows, next_cursor = await queries.list_team_channels(tx.session, team_id, page)
    items = [TeamChannelRead.model_validate(row) for row in rows]
    return TeamChannelPage(items=items, next_cursor=next_cursor)


@router.post("", status_code=201)
async def create_team_channel(
    tx: InTx, principal: Manager, team_id: UUID, body: TeamChannelCreate, tagged: Tagged
) -> TeamChannelCreated:
    """Add a channel. A webhook's signing secret is shown in this answer only."""
    channel = await actions.create_team_channel(tx, team_id, body, by=principal)
    return tagged.show(TeamChannelCreated.model_validate(channel))


@router.get("/{channel_id}")
async def get_team_channel(
    tx: InTx, principal: Reader, team_id: UUID, channel_id: UUID, known: IfNoneMatch
) -> TeamChannelRead:
    """Show one channel."""
    await queries.get_team(tx.session, team_id, principal)
    channel = await queries.get_team_channel(tx.session, team_id, channel_id)
    return known.show(TeamChannelRead.model_validate(channel))


@router.patch("/{channel_id}")
async def update_team_channel(
    tx: InTx,
    principal: Manager,
    team_id: UUID,
    channel_id: UUID,
    body: TeamChannelUpdate,
    hooks: Hooks,
    seen: IfMatch,
) -> TeamChannelRead:
    """Change a channel."""
    await seen.require(locked, tx, team_id, channel_id, principal)
    channel = await actions.update_team_channel(
        tx, team_id, channel_id, body.changes(), hooks=hooks, by=principal
    )
    return seen.show(TeamChannelRead.model_validate(channel))


@router.post("/{channel_id}/rotate-secret")
async def rotate_team_channel_secret(
    tx: InTx, principal: Manager, team_id: UUID, channel_id: UUID, tagged: Tagged
) -> TeamChannelCreated:
    """Give a webhook a new signing secret, shown in this answer only; the old one is void."""
    channel = await actions.rotate_team_channel_secret(tx, team_id, channel_id, by=principal)
    return tagged.show(TeamChannelCreated.model_validate(channel))


@router.delete("/{channel_id}", status_code=204)
async def delete_team_channel(
    tx: InTx,
    principal: Manager,
    team_id: UUID,
    channel_id: UUID,
    checks: Annotated[Sequence[InUse], Depends(team_channel_in_use)],
    hooks: Hooks,
    seen: IfMatch,
) -> None:
    """Delete a channel that no policy names; the record of what it was told stays."""
    await seen.require(locked, tx, team_id, channel_id, principal)
    await actions.delete_team_channel(tx, team_id, channel_id, checks, hooks=hooks, by=principal)
