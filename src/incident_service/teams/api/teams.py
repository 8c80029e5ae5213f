"""HTTP: teams and their members."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from incident_service.core.http import InTx
from incident_service.core.pagination import PageQuery, page_query
from incident_service.teams import queries
from incident_service.teams.actions import teams as actions
from incident_service.teams.auth import Manager, Reader
from incident_service.teams.repeatable import RepeatableRoute
from incident_service.teams.schemas import (
    MembershipPage,
    MembershipPut,
    MembershipRead,
    TeamCreate,
    TeamPage,
    TeamRead,
    TeamUpdate,
)

router = APIRouter(prefix="/teams", tags=["teams"], route_class=RepeatableRoute)


@router.get("")
async def list_teams(
    tx: InTx, principal: Reader, page: Annotated[PageQuery, Depends(page_query)]
) -> TeamPage:
    """List the teams that the key can see, oldest first."""
    rows, next_cursor = await queries.list_teams(tx.session, principal, page)
    return TeamPage(items=[TeamRead.model_validate(row) for row in rows], next_cursor=next_cursor)


@router.post("", status_code=201)
async def create_team(tx: InTx, principal: Manager, body: TeamCreate) -> TeamRead:
    """Make a team. Not for keys that are limited to teams."""
    return TeamRead.model_validate(await actions.create_team(tx, body, by=principal))


@router.get("/{team_id}")
async def get_team(tx: InTx, principal: Reader, team_id: UUID) -> TeamRead:
    """Show one team."""
    return TeamRead.model_validate(await queries.get_team(tx.session, team_id, principal))


@router.patch("/{team_id}")
async def update_team(tx: InTx, principal: Manager, team_id: UUID, body: TeamUpdate) -> TeamRead:
    """Change a team."""
    team = await actions.update_team(tx, team_id, body.changes(), by=principal)
    return TeamRead.model_validate(team)


@router.delete("/{team_id}", status_code=204)
async def delete_team(tx: InTx, principal: Manager, team_id: UUID) -> None:
    """Delete a team that owns nothing any more. Not for keys that are limited to teams."""
    await actions.delete_team(tx, team_id, by=principal)


@router.get("/{team_id}/members")
async def list_members(
    tx: InTx,
    principal: Reader,
    team_id: UUID,
    page: Annotated[PageQuery, Depends(page_query)],
) -> MembershipPage:
    """List a team's members."""
    await queries.get_team(tx.session, team_id, principal)
    rows, next_cursor = await queries.list_memberships(tx.session, team_id, page)
    items = [MembershipRead.model_validate(row) for row in rows]
    return MembershipPage(items=items, next_cursor=next_cursor)


@router.put("/{team_id}/members/{user_id}")
async def put_member(
    tx: InTx, principal: Manager, team_id: UUID, user_id: UUID, body: MembershipPut
) -> MembershipRead:
    """Make a user a member of the team, or change the member's role."""
    membership = await actions.put_membership(tx, team_id, user_id, body.role, by=principal)
    return MembershipRead.model_validate(membership)


@router.delete("/{team_id}/members/{user_id}", status_code=204)
async def delete_member(tx: InTx, principal: Manager, team_id: UUID, user_id: UUID) -> None:
    """Take a user out of the team."""
    await actions.delete_membership(tx, team_id, user_id, by=principal)
