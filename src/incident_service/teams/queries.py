"""Reads of teams, users, how to reach them, and API keys."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from sqlalchemy import Select, Text, and_, exists, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from incident_service.core.audit import AuditEntry
from incident_service.core.errors import NotFound
from incident_service.core.rows import get_row
from incident_service.core.sealing import PREFIX, Sealer
from incident_service.teams.auth import Person, Principal
from incident_service.teams.models import (
    ApiKey,
    ContactMethod,
    Scope,
    Team,
    TeamMembership,
    User,
)
from incident_service.web.lists.pagination import PageQuery, fetch_page

Row = TypeVar("Row")
OLDEST = 100

IS_FALLBACK = and_(ContactMethod.user_id.is_(None), ContactMethod.team_id.is_(None))
"""Holds for contacts of the installation; one of them at most is enabled."""


class TeamNotFound(NotFound):
    """There is no such team, or the key cannot see it."""


class UserNotFound(NotFound):
    """There is no such user."""


class MembershipNotFound(NotFound):
    """The user is not a member of this team."""


class ContactMethodNotFound(NotFound):
    """The user has no such contact method."""


class TeamChannelNotFound(NotFound):
    """The team has no such channel."""


class ApiKeyNotFound(NotFound):
    """There is no such API key, or it reaches further than the key that asks."""


def visible(
    statement: Select[Row],
    team_id: InstrumentedAttribute[UUID] | InstrumentedAttribute[UUID | None],
    principal: Principal,
) -> Select[Row]:
    """Leave out, for a limited caller, the rows of other teams and of none."""
    if principal.team_ids is None:
        return statement
    return statement.where(team_id.in_(principal.team_ids))


async def get_team(
    session: AsyncSession, team_id: UUID, principal: Principal, *, lock: bool = False
) -> Team:
    """Return the team.

    Raises:
        TeamNotFound: it does not exist for this caller.
        RoleTooLow: the person behind the key may not do this in the team.
    """
    statement = visible(select(Team).where(Team.id == team_id), Team.id, principal)
    team = await get_row(session, statement, TeamNotFound, lock=lock)
    principal.require_role(team.id)
    return team


async def list_teams(
    session: AsyncSession, principal: Principal, page: PageQuery
) -> tuple[Sequence[Team], str | None]:
    """Return a page of the teams that the caller sees."""
    return await fetch_page(session, visible(select(Team), Team.id, principal), Team.id, page)


async def get_user(session: AsyncSession, user_id: UUID, *, lock: bool = False) -> User:
    """Return the user.

    Raises:
        UserNotFound: there is none.
    """
    return await get_row(session, select(User).where(User.id == user_id), UserNotFound, lock=lock)


async def list_users(
    session: AsyncSession, page: PageQuery, *, reachable: bool | None = None
) -> tuple[Sequence[User], str | None]:
    """Return a page of all users, or of those who can, or cannot, be paged."""
    statement = select(User)
    if reachable is not None:
        has_address = exists().where(
            ContactMethod.user_id == User.id,
            ContactMethod.is_enabled,
            ContactMethod.unverified_since.is_(None),
        )
        can_be_paged = and_(User.is_active, has_address)
        statement = statement.where(can_be_paged if reachable else ~can_be_paged)
    return await fetch_page(session, statement, User.id, page)


async def find_person(session: AsyncSession, user_id: UUID) -> Person:
    """Return what decides who may see and change a user."""
    team_ids = await session.scalars(
        select(TeamMembership.team_id).where(TeamMembership.user_id == user_id)
    )
    is_admin = await session.scalar(
        select(
            exists().where(
                ApiKey.user_id == user_id,
                ApiKey.revoked_at.is_(None),
                ApiKey.scopes.contains([Scope.ADMIN.value]),
            )
        )
    )
    return Person(user_id, frozenset(team_ids), bool(is_admin))


async def get_membership(
    session: AsyncSession, team_id: UUID, user_id: UUID, *, lock: bool = False
) -> TeamMembership:
    """Return the user's place in the team.

    Raises:
        MembershipNotFound: the user is not a member.
    """
    statement = select(TeamMembership).where(
        TeamMembership.team_id == team_id, TeamMembership.user_id == user_id
    )
    return await get_row(session, statement, MembershipNotFound, lock=lock)


async def list_memberships(
    session: AsyncSession, team_id: UUID, page: PageQuery
) -> tuple[Sequence[TeamMembership], str | None]:
    """Return a page of the team's members, in the order of the users' ids."""
    statement = select(TeamMembership).where(TeamMembership.team_id == team_id)
    return await fetch_page(session, statement, TeamMembership.user_id, page)


async def get_contact_method(
    session: AsyncSession, user_id: UUID, contact_method_id: UUID, *, lock: bool = False
) -> ContactMethod:
    """Return the contact method.

    Raises:
        ContactMethodNotFound: the user has no such one.
    """
    statement = select(ContactMethod).where(
        ContactMethod.id == contact_method_id,
        ContactMethod.user_id == user_id,
        ContactMethod.retired_at.is_(None),
    )
    return await get_row(session, statement, ContactMethodNotFound, lock=lock)


async def list_contact_methods(
    session: AsyncSession, user_id: UUID, page: PageQuery
) -> tuple[Sequence[ContactMethod], str | None]:
    """Return a page of the user's contact methods."""
    statement = select(ContactMethod).where(
        ContactMethod.user_id == user_id, ContactMethod.retired_at.is_(None)
    )
    return await fetch_page(session, statement, ContactMethod.id, page)


async def get_team_channel(
    session: AsyncSession, team_id: UUID, channel_id: UUID, *, lock: bool = False
) -> ContactMethod:
    """Return the team's channel.

    Raises:
        TeamChannelNotFound: the team has no such one.
    """
    statement = select(ContactMethod).where(
        ContactMethod.id == channel_id,
        ContactMethod.team_id == team_id,
        ContactMethod.retired_at.is_(None),
    )
    return await get_row(session, statement, TeamChannelNotFound, lock=lock)


async def list_team_channels(
    session: AsyncSession, team_id: UUID, page: PageQuery
) -> tuple[Sequence[ContactMethod], str | None]:
    """Return a page of the team's channels."""
    statement = select(ContactMethod).where(
        ContactMethod.team_id == team_id, ContactMethod.retired_at.is_(None)
    )
    return await fetch_page(session, statement, ContactMethod.id, page)


async def has_unopened_addresses(session: AsyncSession, sealer: Sealer) -> bool:
    """Say whether an address in use is sealed with a key that `sealer` lacks.

    The oldest ones tell: a key that is missing is one that was given up.
    """
    stored = type_coerce(ContactMethod.address, Text)
    rows = await session.scalars(
        select(stored)
        .where(ContactMethod.is_enabled, stored.startswith(PREFIX))
        .order_by(ContactMethod.id)
        .limit(OLDEST)
    )
    return not all(map(sealer.opens, rows))


async def load_channel_names(
    session: AsyncSession, channel_ids: Collection[UUID]
) -> dict[UUID, str]:
    """Return the names of team channels."""
    rows = await session.execute(
        select(ContactMethod.id, ContactMethod.name).where(
            ContactMethod.id.in_(channel_ids), ContactMethod.name.is_not(None)
        )
    )
    return {row.id: row.name for row in rows}


def visible_keys(principal: Principal) -> Select[ApiKey]:
    """Select the keys that reach no further than the caller's own teams."""
    if principal.team_ids is None:
        return select(ApiKey)
    # NULL, an unlimited key, is contained in nothing.
    return select(ApiKey).where(ApiKey.team_ids.contained_by(sorted(map(str, principal.team_ids))))


async def get_api_key(
    session: AsyncSession, api_key_id: UUID, principal: Principal, *, lock: bool = False
) -> ApiKey:
    """Return the key's row.

    Raises:
        ApiKeyNotFound: it does not exist for this caller.
    """
    statement = visible_keys(principal).where(ApiKey.id == api_key_id)
    return await get_row(session, statement, ApiKeyNotFound, lock=lock)


async def list_api_keys(
    session: AsyncSession, principal: Principal, page: PageQuery
) -> tuple[Sequence[ApiKey], str | None]:
    """Return a page of the keys that the caller may manage."""
    return await fetch_page(session, visible_keys(principal), ApiKey.id, page)


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries of the audit log are wanted; None: all."""

    actor_id: UUID | None = None
    action: str | None = None
    resource_type: str | None = None
    resource_id: UUID | None = None
    team_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    refused: bool | None = None


async def list_audit_log(
    session: AsyncSession, wanted: AuditFilter, principal: Principal, page: PageQuery
) -> tuple[Sequence[AuditEntry], str | None]:
    """Return a page of the entries that the caller may see, newest first.

    Only an admin who is not limited to teams sees what belongs to no team.
    """
    statement = select(AuditEntry)
    if principal.team_ids is not None:
        managed = [team_id for team_id in principal.team_ids if principal.may_in(team_id)]
        statement = statement.where(AuditEntry.team_id.in_(managed))
    elif not principal.may(Scope.ADMIN):
        statement = statement.where(AuditEntry.team_id.is_not(None))
    for column in (
        AuditEntry.actor_id,
        AuditEntry.action,
        AuditEntry.resource_type,
        AuditEntry.resource_id,
        AuditEntry.team_id,
    ):
        if (value := getattr(wanted, column.key)) is not None:
            statement = statement.where(column == value)
    if wanted.since:
        statement = statement.where(AuditEntry.at >= wanted.since)
    if wanted.until:
        statement = statement.where(AuditEntry.at < wanted.until)
    if wanted.refused is not None:
        is_refusal = AuditEntry.refused.is_not(None)
        statement = statement.where(is_refusal if wanted.refused else ~is_refusal)
    return await fetch_page(session, statement, AuditEntry.id, page, newest_first=True)
