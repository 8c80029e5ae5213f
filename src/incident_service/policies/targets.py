"""Who a target means at this moment: the people behind it that can be reached."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from incident_service.policies.models import TargetType
from incident_service.policies.plan import Target
from incident_service.schedules import oncall
from incident_service.schedules.oncall import Roster
from incident_service.schedules.queries import load_rosters_of
from incident_service.teams.models import ContactMethod, Role, TeamMembership, User
from incident_service.teams.queries import IS_FALLBACK

PAGED_ROLES = (Role.MANAGER, Role.RESPONDER)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can be told, with the ids of the enabled and verified contact methods."""

    id: UUID
    name: str
    contact_method_ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Somebody who cannot be told, and why, as in "Ana has no address"."""

    id: UUID
    name: str
    why: str


@dataclass(frozen=True, slots=True)
class TeamChannel:
    """A chat's channel or a machine of a team, by its contact method."""

    id: UUID
    name: str


@dataclass(frozen=True, slots=True)
class Reach:
    """Everybody who can be told at this moment, as far as the teams asked for are concerned.

    People without a contact method that can be used, and inactive ones, are not its people, but in
    `unreachable`; channels that are switched off are not in it. `schedules` are names.
    """

    people: dict[UUID, Person]
    members: dict[UUID, list[tuple[UUID, Role]]]
    fallback_contact_method_id: UUID | None
    on_call: dict[UUID, UUID] = field(default_factory=dict)
    channels: dict[UUID, TeamChannel] = field(default_factory=dict)
    unreachable: dict[UUID, Unreachable] = field(default_factory=dict)
    schedules: dict[UUID, str] = field(default_factory=dict)

    def meant_by(self, team_id: UUID, targets: Collection[Target]) -> list[Person]:
        """Return the reachable people behind `targets`, each once, in the targets' order."""
        found: dict[UUID, Person] = {}
        for target in targets:
            for user_id in self._user_ids(team_id, target):
                if user_id in self.people:
                    found.setdefault(user_id, self.people[user_id])
        return list(found.values())

    def missed_by(self, team_id: UUID, targets: Collection[Target]) -> list[Unreachable]:
        """Return the people behind `targets` who cannot be reached, each once."""
        found = {user_id for target in targets for user_id in self._user_ids(team_id, target)}
        return [person for id_, person in self.unreachable.items() if id_ in found]

    def because(self, team_id: UUID, targets: Collection[Target]) -> dict[UUID, list[Target]]:
        """Return by which of `targets` each person is meant."""
        found: dict[UUID, list[Target]] = defaultdict(list)
        for target in targets:
            for user_id in self._user_ids(team_id, target):
                found[user_id].append(target)
        return found

    def empty(self, team_id: UUID, targets: Collection[Target]) -> list[Target]:
        """Return those of `targets` that mean nobody at this moment, and channels that are off."""
        return [
            target
            for target in targets
            if target.id not in self.channels and not self._user_ids(team_id, target)
        ]

    def channels_of(self, targets: Collection[Target]) -> list[TeamChannel]:
        """Return the channels among `targets` that can be told, each once."""
        ids = dict.fromkeys(target.id for target in targets)
        return [self.channels[id_] for id_ in ids if id_ in self.channels]

    def managers(self, team_id: UUID) -> list[Person]:
        """Return the team's reachable managers."""
        return [
            self.people[user_id]
            for user_id, role in self.members.get(team_id, [])
            if role is Role.MANAGER and user_id in self.people
        ]

    def _user_ids(self, team_id: UUID, target: Target) -> list[UUID]:
        match target.type:
            case TargetType.USER:
                return [target.id] if target.id else []
            case TargetType.ENTIRE_TEAM:
                return [
                    user_id
                    for user_id, role in self.members.get(team_id, [])
                    if role in PAGED_ROLES
                ]
            case TargetType.SCHEDULE:
                user_id = self.on_call.get(target.id) if target.id else None
                return [user_id] if user_id else []
            case TargetType.TEAM_CHANNEL:
                return []


@dataclass(frozen=True, slots=True)
class Outlook:
    """Who can be told from an instant on, as far as it is known now."""

    reach: Reach
    rosters: dict[UUID, Roster]

    def at(self, instant: datetime) -> Reach:
        """Return who can be told at an instant."""
        found = {id_: oncall.on_call(roster, instant) for id_, roster in self.rosters.items()}
        on_call = {id_: user[0] for id_, user in found.items() if user is not None}
        return replace(self.reach, on_call=on_call)


async def load_reach(
    session: AsyncSession, team_ids: Collection[UUID], targets: Collection[Target], now: datetime
) -> Reach:
    """Read who can be told: the members of `team_ids`, and the users behind `targets` now."""
    return (await load_outlook(session, team_ids, targets, now)).at(now)


async def load_outlook(
    session: AsyncSession, team_ids: Collection[UUID], targets: Collection[Target], since: datetime
) -> Outlook:
    """Read who can be told from `since` on: members of `team_ids`, and whom `targets` ever mean."""
    members: dict[UUID, list[tuple[UUID, Role]]] = defaultdict(list)
    for row in await session.scalars(
        select(TeamMembership)
        .where(TeamMembership.team_id.in_(team_ids))
        .order_by(TeamMembership.created_at, TeamMembership.user_id)
    ):
        members[row.team_id].append((row.user_id, row.role))
    rosters = await load_rosters_of(session, ids_of(targets, TargetType.SCHEDULE), since)
    wanted = {user_id for team in members.values() for user_id, _ in team}
    wanted |= ids_of(targets, TargetType.USER)
    wanted |= {user_id for roster in rosters.values() for user_id in roster.people()}
    people = await load_people(session, wanted)
    unreachable = await load_unreachable(session, wanted - people.keys())
    channels = await load_channels(session, ids_of(targets, TargetType.TEAM_CHANNEL))
    reach = Reach(
        people,
        dict(members),
        await find_fallback(session),
        channels=channels,
        unreachable=unreachable,
        schedules={id_: roster.name for id_, roster in rosters.items()},
    )
    return Outlook(reach, rosters)


def ids_of(targets: Collection[Target], what: TargetType) -> set[UUID]:
    """Return the ids of the targets of a type."""
    return {target.id for target in targets if target.id and target.type is what}


async def load_people(session: AsyncSession, user_ids: Collection[UUID]) -> dict[UUID, Person]:
    """Return the active users among `user_ids` that have an enabled and verified contact method."""
    methods: dict[UUID, list[UUID]] = defaultdict(list)
    names: dict[UUID, str] = {}
    for user_id, name, method_id in await session.execute(
        select(User.id, User.name, ContactMethod.id)
        .join(ContactMethod, ContactMethod.user_id == User.id)
        .where(
            User.id.in_(user_ids),
            User.is_active,
            ContactMethod.is_enabled,
            ContactMethod.unverified_since.is_(None),
        )
        .order_by(ContactMethod.id)
    ):
        names[user_id] = name
        methods[user_id].append(method_id)
    return {
        user_id: Person(user_id, names[user_id], tuple(method_ids))
        for user_id, method_ids in methods.items()
    }


async def load_unreachable(
    session: AsyncSession, user_ids: Collection[UUID]
) -> dict[UUID, Unreachable]:
    """Return why users cannot be told, in the order of their names."""
    if not user_ids:
        return {}
    count = func.count(ContactMethod.id)
    rows = await session.execute(
        select(
            User.id,
            User.name,
            User.is_active,
            count.label("known"),
            count.filter(ContactMethod.is_enabled).label("enabled"),
        )
        .outerjoin(
            ContactMethod,
            and_(ContactMethod.user_id == User.id, ContactMethod.retired_at.is_(None)),
        )
        .where(User.id.in_(user_ids))
        .group_by(User.id)
        .order_by(User.name, User.id)
    )
    return {
        row.id: Unreachable(
            row.id, row.name, why_unreachable(row.is_active, row.known, row.enabled)
        )
        for row in rows
    }


def why_unreachable(is_active: bool, known: int, enabled: int) -> str:  # noqa: FBT001 - a column
    """Say why somebody of whom no address can be used cannot be told."""
    if not is_active:
        return "is inactive"
    if not known:
        return "has no address"
    if not enabled:
        return "has switched every address off"
    return "has not verified any address"


async def load_channels(
    session: AsyncSession, channel_ids: Collection[UUID]
) -> dict[UUID, TeamChannel]:
    """Return the enabled team channels among `channel_ids`."""
    if not channel_ids:
        return {}
    rows = await session.execute(
        select(ContactMethod.id, ContactMethod.name).where(
            ContactMethod.id.in_(channel_ids),
            ContactMethod.team_id.is_not(None),
            ContactMethod.is_enabled,
        )
    )
    return {row.id: TeamChannel(row.id, row.name) for row in rows}


async def find_fallback(session: AsyncSession) -> UUID | None:
    """Return the installation's fallback contact, if it has one."""
    return (
        await session.scalars(select(ContactMethod.id).where(IS_FALLBACK, ContactMethod.is_enabled))
    ).first()
