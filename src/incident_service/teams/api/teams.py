"""HTTP: teams and their members."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from incident_service.core.db import Tx
from incident_service.teams import queries
from incident_service.teams.actions import teams as actions
from incident_service.teams.auth import Manager, Principal, Reader
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
from incident_service.web.conditional import IfMatch, IfNoneMatch, Tagged
from incident_service.web.lists.pagination import PageQuery, page_query
from incident_service.web.request import InTx

router = APIRouter(prefix="/teams", tags=["teams"], route_class=RepeatableRoute)


async def locked(tx: Tx, team_id: UUID, principal: Principal) -> TeamRead:
    """Lock the team, and show it."""
    team = await queries.get_team(tx.session, team_id, principal, lock=True)
    return TeamRead.model_validate(team)


async def locked_to_delete(tx: Tx, team_id: UUID, principal: Principal) -> TeamRead:
    """Lock the team for a caller who may delete it, and show it."""
    shown = await locked(tx, team_id, principal)
    principal.require_every_team()
    return shown


async def locked_member(
    tx: Tx, team_id: UUID, user_id: UUID, principal: Principal
) -> MembershipRead | None:
    """Lock the team, the user and the user's place in the team, and show that; None: no member."""
    await queries.get_team(tx.session, team_id, principal, lock=True)
    await queries.get_user(tx.session, user_id, lock=True)
    try:
        found = await queries.get_membership(tx.session, team_id, user_id, lock=True)
    except queries.MembershipNotFound:
        return None
    return MembershipRead.model_validate(found)


@router.get("")
async def list_teams(
    tx: InTx, principal: Reader, page: Annotated[PageQuery, Depends(page_query)]
) -> TeamPage:
    """List the teams that the key can see, oldest first."""
    rows, next_cursor = await queries.list_teams(tx.session, principal, page)
    return TeamPage(items=[TeamRead.model_validate(row) for row in rows], next_cursor=next_cursor)


@router.post("", status_code=201)
async def create_team(tx: InTx, principal: Manager, body: TeamCreate, tagged: Tagged) -> TeamRead:
    """Make a team. Not for keys that are limited to teams."""
    team = await actions.create_team(tx, body, by=principal)
    return tagged.show(TeamRead.model_validate(team))


@router.get("/{team_id}")
async def get_team(tx: InTx, principal: Reader, team_id: UUID, known: IfNoneMatch) -> TeamRead:
    """Show one team."""
    team = await queries.get_team(tx.session, team_id, principal)
    return known.show(TeamRead.model_validate(team))


@router.patch("/{team_id}")
async def update_team(
    tx: InTx, principal: Manager, team_id: UUID, body: TeamUpdate, seen: IfMatch
) -> TeamRead:
    """Change a team."""
    await seen.require(locked, tx, team_id, principal)
    team = await actions.update_team(tx, team_id, body.changes(), by=principal)
    return seen.show(TeamRead.model_validate(team))


@router.delete("/{team_id}", status_code=204)
async def delete_team(tx: InTx, principal: Manager, team_id: UUID, seen: IfMatch) -> None:
    """Delete a team that owns nothing any more. Not for keys that are limited to teams."""
    await seen.require(locked_to_delete, tx, team_id, principal)
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
    tx: InTx,
    principal: Manager,
    team_id: UUID,
    user_id: UUID,
    body: MembershipPut,
    seen: IfMatch,
) -> MembershipRead:
    """Make a user a member of the team, or change the member's role."""
    await seen.require(locked_member, tx, team_id, user_id, principal)
    membership = await actions.put_membership(tx, team_id, user_id, body.role, by=principal)
    return seen.show(MembershipRead.model_validate(membership))


@router.delete("/{team_id}/members/{user_id}", status_code=204)
async def delete_member(
    tx: InTx, principal: Manager, team_id: UUID, user_id: UUID, seen: IfMatch
) -> None:
    """Take a user out of the team."""
    await seen.require(locked_member, tx, team_id, user_id, principal)
    await actions.delete_membership(tx, team_id, user_id, by=principal)
