"""Reads of schedules, and of who is on call."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, time
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from incident_service.core import tokens
from incident_service.core.db import Tx
from incident_service.core.errors import NotFound
from incident_service.core.rows import get_row
from incident_service.schedules.models import (
    Schedule,
    ScheduleLayer,
    ScheduleOverride,
    ScheduleParticipant,
)
from incident_service.schedules.oncall import Layer, Override, Roster
from incident_service.schedules.rotation import Rotation, Window
from incident_service.schedules.schemas import WEEKDAYS, Weekday
from incident_service.teams.auth import Principal
from incident_service.teams.models import User
from incident_service.teams.queries import visible
from incident_service.web.lists.pagination import PageQuery, fetch_page

Participants = dict[UUID, list[UUID]]


class ScheduleNotFound(NotFound):
    """There is no such schedule, or it belongs to a team that the key cannot see."""


class FeedNotFound(NotFound):
    """There is no such calendar, or its key was replaced or taken back: ask for a new address."""


class OverrideNotFound(NotFound):
    """The schedule has no such override."""


async def get_schedule(
    session: AsyncSession, schedule_id: UUID, principal: Principal, *, lock: bool = False
) -> Schedule:
    """Return the schedule.

    Raises:
        ScheduleNotFound: it does not exist for this caller.
        RoleTooLow: the person behind the key may not do this in the team.
    """
    statement = select(Schedule).where(Schedule.id == schedule_id)
    statement = visible(statement, Schedule.team_id, principal)
    schedule = await get_row(session, statement, ScheduleNotFound, lock=lock)
    principal.require_role(schedule.team_id)
    return schedule


async def get_schedule_of_feed(session: AsyncSession, schedule_id: UUID, key: str) -> Schedule:
    """Return the schedule whose calendar has this key.

    Raises:
        FeedNotFound: none has.
    """
    statement = select(Schedule).where(
        Schedule.id == schedule_id, Schedule.feed_digest == tokens.digest(key)
    )
    return await get_row(session, statement, FeedNotFound)


async def list_schedules(
    session: AsyncSession, principal: Principal, page: PageQuery, *, team_id: UUID | None
) -> tuple[Sequence[Schedule], str | None]:
    """Return a page of the schedules that the caller sees: all, or one team's."""
    statement = visible(select(Schedule), Schedule.team_id, principal)
    if team_id:
        statement = statement.where(Schedule.team_id == team_id)
    return await fetch_page(session, statement, Schedule.id, page)


async def list_overrides(
    session: AsyncSession, schedule_id: UUID, page: PageQuery
) -> tuple[Sequence[ScheduleOverride], str | None]:
    """Return a page of a schedule's overrides, past ones too."""
    statement = select(ScheduleOverride).where(ScheduleOverride.schedule_id == schedule_id)
    return await fetch_page(session, statement, ScheduleOverride.id, page)


async def get_override(
    session: AsyncSession, schedule_id: UUID, override_id: UUID
) -> ScheduleOverride:
    """Return one override.

    Raises:
        OverrideNotFound: the schedule has none of this id.
    """
    statement = select(ScheduleOverride).where(
        ScheduleOverride.id == override_id, ScheduleOverride.schedule_id == schedule_id
    )
    return await get_row(session, statement, OverrideNotFound)


async def load_layers(
    session: AsyncSession, schedule_ids: Collection[UUID]
) -> tuple[dict[UUID, list[ScheduleLayer]], Participants]:
    """Return the layers of each schedule, in their order, and the participants of each layer."""
    layers: dict[UUID, list[ScheduleLayer]] = defaultdict(list)
    for layer in await session.scalars(
        select(ScheduleLayer)
        .where(ScheduleLayer.schedule_id.in_(schedule_ids))
        .order_by(ScheduleLayer.position)
    ):
        layers[layer.schedule_id].append(layer)
    participants: Participants = defaultdict(list)
    for row in await session.execute(
        select(ScheduleParticipant.layer_id, ScheduleParticipant.user_id)
        .join(ScheduleLayer, ScheduleLayer.id == ScheduleParticipant.layer_id)
        .where(ScheduleLayer.schedule_id.in_(schedule_ids))
        .order_by(ScheduleParticipant.layer_id, ScheduleParticipant.position)
    ):
        participants[row.layer_id].append(row.user_id)
    return dict(layers), dict(participants)


async def load_rosters(
    session: AsyncSession, schedules: Sequence[Schedule], since: datetime
) -> dict[UUID, Roster]:
    """Return what decides who is on call from an instant on, for each schedule."""
    ids = [schedule.id for schedule in schedules]
    layers, participants = await load_layers(session, ids)
    overrides: dict[UUID, list[Override]] = defaultdict(list)
    for row in await session.scalars(
        select(ScheduleOverride)
        .where(ScheduleOverride.schedule_id.in_(ids), ScheduleOverride.ends_at > since)
        .order_by(ScheduleOverride.starts_at)
    ):
        overrides[row.schedule_id].append(Override(row.id, row.user_id, row.starts_at, row.ends_at))
    return {
        schedule.id: Roster(
            tuple(
                Layer(row.id, rotation_of(schedule.time_zone, row, participants.get(row.id, ())))
                for row in layers.get(schedule.id, ())
            ),
            tuple(overrides.get(schedule.id, ())),
            schedule.name,
        )
        for schedule in schedules
    }


def rotation_of(time_zone: str, layer: ScheduleLayer, participants: Sequence[UUID]) -> Rotation:
    """Return a layer as decisions see it."""
    return Rotation(
        zone=ZoneInfo(time_zone),
        unit=layer.unit,
        every=layer.every,
        handoff=layer.handoff_time,
        starts_at=layer.starts_at,
        participants=tuple(participants),
        weekday=layer.handoff_weekday or 0,
        first=layer.first,
        ends_at=layer.ends_at,
        windows=tuple(map(window_of, layer.restrictions)),
    )


def window_of(restriction: dict[str, Any]) -> Window:
    """Read a restriction as it is kept."""
    return Window(
        frozenset(WEEKDAYS.index(Weekday(day)) for day in restriction["weekdays"]),
        time.fromisoformat(restriction["from_time"]),
        time.fromisoformat(restriction["to_time"]),
    )


async def load_rosters_of(
    session: AsyncSession, schedule_ids: Collection[UUID], since: datetime
) -> dict[UUID, Roster]:
    """Return what decides who is on call from an instant on; ids that are unknown are left out."""
    if not schedule_ids:
        return {}
    schedules = (await session.scalars(select(Schedule).where(Schedule.id.in_(schedule_ids)))).all()
    return await load_rosters(session, schedules, since)


async def load_names(session: AsyncSession, user_ids: Collection[UUID]) -> dict[UUID, str]:
    """Return the names of users."""
    rows = await session.execute(select(User.id, User.name).where(User.id.in_(user_ids)))
    return {row.id: row.name for row in rows}


async def load_schedule_names(
    session: AsyncSession, schedule_ids: Collection[UUID]
) -> dict[UUID, str]:
    """Return the names of schedules."""
    rows = await session.execute(
        select(Schedule.id, Schedule.name).where(Schedule.id.in_(schedule_ids))
    )
    return {row.id: row.name for row in rows}


async def say_which_schedules_name_user(tx: Tx, user_id: UUID) -> str | None:
    """Say which schedules have the user in a layer or an override, also one that is over."""
    overrides = select(ScheduleOverride.schedule_id).where(ScheduleOverride.user_id == user_id)
    return await say_which_schedules(tx, user_id, overrides)


async def say_where_user_takes_turns(tx: Tx, user_id: UUID) -> str | None:
    """Say which schedules have, or will have, the user on call."""
    overrides = select(ScheduleOverride.schedule_id).where(
        ScheduleOverride.user_id == user_id, ScheduleOverride.ends_at > tx.now
    )
    return await say_which_schedules(tx, user_id, overrides)


async def say_which_schedules(tx: Tx, user_id: UUID, or_these: Select[UUID]) -> str | None:
    """Name the schedules in a layer of which the user is, and others; None when there is none."""
    in_turn = (
        select(ScheduleLayer.schedule_id)
        .join(ScheduleParticipant, ScheduleParticipant.layer_id == ScheduleLayer.id)
        .where(ScheduleParticipant.user_id == user_id)
    )
    rows = await tx.session.scalars(
        select(Schedule.name)
        .where(or_(Schedule.id.in_(in_turn), Schedule.id.in_(or_these)))
        .order_by(Schedule.name)
        .limit(5)
    )
    names = rows.all()
    return f"Schedules have this user on call: {', '.join(names)}." if names else None
