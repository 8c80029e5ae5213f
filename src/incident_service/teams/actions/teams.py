"""Make, change and delete teams and memberships."""

from typing import Any
from uuid import UUID

from incident_service.core.db import Tx
from incident_service.core.ids import new_id
from incident_service.core.rows import change_row
from incident_service.teams import queries
from incident_service.teams.auth import Principal
from incident_service.teams.models import Role, Team, TeamMembership
from incident_service.teams.schemas import TeamCreate


async def create_team(tx: Tx, wanted: TeamCreate, *, by: Principal) -> Team:
    """Make a team.

    Raises:
        KeyLimited: a key for some teams cannot make another.
    """
    by.require_every_team()
    team = Team(id=new_id(), **wanted.model_dump(), created_at=tx.now, updated_at=tx.now)
    tx.session.add(team)
    await tx.flush()
    return team


async def update_team(tx: Tx, team_id: UUID, changes: dict[str, Any], *, by: Principal) -> Team:
    """Change the given columns."""
    team = await queries.get_team(tx.session, team_id, by, lock=True)
    change_row(team, changes, tx.now)
    await tx.flush()
    return team


async def delete_team(tx: Tx, team_id: UUID, *, by: Principal) -> None:
    """Delete a team with its memberships; foreign keys refuse it while it owns something else.

    Raises:
        KeyLimited: the caller is limited to teams.
    """
    team = await queries.get_team(tx.session, team_id, by, lock=True)
    by.require_every_team()
    await tx.session.delete(team)
    await tx.flush()


async def put_membership(
    tx: Tx, team_id: UUID, user_id: UUID, role: Role, *, by: Principal
) -> TeamMembership:
    """Make the user a member, or change the member's role.

    Raises:
        KeyLimited: the person is in teams that the caller does not see, and in none that it does.
    """
    await queries.get_team(tx.session, team_id, by, lock=True)
    await queries.get_user(tx.session, user_id, lock=True)
    by.require_free_or_colleague(await queries.find_person(tx.session, user_id))
    membership = await tx.session.get(TeamMembership, (team_id, user_id), with_for_update=True)
    if membership is None:  # the team's lock keeps others from adding the same
        membership = TeamMembership(team_id=team_id, user_id=user_id, created_at=tx.now)
        tx.session.add(membership)
    membership.role = role
    await tx.flush()
    return membership


async def delete_membership(tx: Tx, team_id: UUID, user_id: UUID, *, by: Principal) -> None:
    """Take the user out of the team."""
    await queries.get_team(tx.session, team_id, by)
    membership = await queries.get_membership(tx.session, team_id, user_id, lock=True)
    await tx.session.delete(membership)
    await tx.flush()
