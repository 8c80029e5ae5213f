"""Make, change and delete schedules and overrides.

Changes of one schedule take turns by its row, so that overrides never overlap.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import delete, insert, select, update

from incident_service.core import tokens
from incident_service.core.db import Tx
from incident_service.core.errors import Conflict, Invalid
from incident_service.core.ids import new_id
from incident_service.core.rows import change_row
from incident_service.core.tokens import Token
from incident_service.schedules import queries
from incident_service.schedules.models import (
    Schedule,
    ScheduleLayer,
    ScheduleOverride,
    ScheduleParticipant,
)
from incident_service.schedules.rotation import Rotation, keep_turn
from incident_service.schedules.schemas import (
    LayerWrite,
    OverrideCreate,
    ScheduleCreate,
    ScheduleUpdate,
    number_of,
)
from incident_service.teams.auth import Principal
from incident_service.teams.models import User
from incident_service.teams.queries import get_team


class LayerWrong(Invalid):
    """The layer cannot be used."""


class OverrideWrong(Invalid):
    """The override cannot be used."""


class OverrideIsOver(Conflict):
    """It is over, and stays as the record of who was on call."""


class OverridesOverlap(Conflict):
    """Somebody else stands in during that time already; change or delete that override first."""


async def create_schedule(tx: Tx, wanted: ScheduleCreate, *, by: Principal) -> Schedule:
    """Make a schedule with its layers.

    Raises:
        TeamNotFound: the team does not exist for the caller.
        LayerWrong: a layer names somebody twice, or who cannot be paged, or ends too early.
    """
    await get_team(tx.session, wanted.team_id, by, lock=True)
    schedule = Schedule(
        id=new_id(),
        **wanted.model_dump(exclude={"layers"}),
        created_at=tx.now,
        updated_at=tx.now,
    )
    tx.session.add(schedule)
    await tx.flush()
    await write_layers(tx, schedule, wanted.layers, {})
    return schedule


async def update_schedule(
    tx: Tx, schedule_id: UUID, wanted: ScheduleUpdate, *, by: Principal
) -> Schedule:
    """Change the given columns, and replace the layers when they are given.

    Raises:
        LayerWrong: a layer cannot be used, or its id is not of this schedule.
    """
    schedule = await queries.get_schedule(tx.session, schedule_id, by, lock=True)
    before = {
        layer.id: layer.rotation
        for layer in (await queries.load_rosters(tx.session, [schedule], tx.now))[
            schedule.id
        ].layers
    }
    changes = wanted.changes()
    changes.pop("layers", None)
    change_row(schedule, changes, tx.now)
    if wanted.layers is None and "time_zone" in changes:
        await keep_turns(tx, schedule, before)
    if wanted.layers is not None:
        await tx.session.execute(
            delete(ScheduleLayer).where(ScheduleLayer.schedule_id == schedule_id)
        )
        await write_layers(tx, schedule, wanted.layers, before)
        schedule.updated_at = tx.now
    await tx.flush()
    return schedule


async def keep_turns(tx: Tx, schedule: Schedule, before: dict[UUID, Rotation]) -> None:
    """Leave the present turn of each layer to whom it belongs, in the schedule's new zone."""
    for layer_id, old in before.items():
        new = replace(old, zone=ZoneInfo(schedule.time_zone), first=0)
        await tx.session.execute(
            update(ScheduleLayer)
            .where(ScheduleLayer.id == layer_id)
            .values(first=keep_turn(old, new, tx.now))
        )


async def write_layers(
    tx: Tx, schedule: Schedule, layers: Sequence[LayerWrite], before: dict[UUID, Rotation]
) -> None:
    """Write the layers of a schedule that has none; `before` are those that they change."""
    await require_usable(tx, layers, before)
    rows: list[dict[str, Any]] = []
    people: list[dict[str, Any]] = []
    for position, layer in enumerate(layers):
        old = before.get(layer.id) if layer.id else None
        row = layer_row(tx, schedule, layer, position, old)
        rows.append(row)
        people += [
            {"layer_id": row["id"], "position": place, "user_id": user_id}
            for place, user_id in enumerate(layer.participants)
        ]
    if rows:
        await tx.session.execute(insert(ScheduleLayer), rows)
        await tx.session.execute(insert(ScheduleParticipant), people)


async def require_usable(
    tx: Tx, layers: Sequence[LayerWrite], before: dict[UUID, Rotation]
) -> None:
    """Refuse layers that nobody could follow.

    Raises:
        LayerWrong: at the first mistake.
    """
    named = {user_id for layer in layers for user_id in layer.participants}
    active = set(
        await tx.session.scalars(
            select(User.id)
            .where(User.id.in_(named), User.is_active)
            .order_by(User.id)
            .with_for_update(read=True)
        )
    )
    for number, layer in enumerate(layers):
        place = f"/layers/{number}"
        if layer.id and layer.id not in before:
            raise LayerWrong("The schedule has no such layer.", f"{place}/id")
        if layer.ends_at and layer.ends_at <= (layer.starts_at or tx.now):
            raise LayerWrong("It has to end after it starts.", f"{place}/ends_at")
        for index, user_id in enumerate(layer.participants):
            pointer = f"{place}/participants/{index}"
            if user_id not in active:
                raise LayerWrong("There is no such active user.", pointer)
            if user_id in layer.participants[:index]:
                raise LayerWrong("Each participant is named once.", pointer)
    ids = [layer.id for layer in layers if layer.id]
    if len(ids) > len(set(ids)):
        raise LayerWrong("Each layer is changed once.", "/layers")


def layer_row(
    tx: Tx, schedule: Schedule, layer: LayerWrite, position: int, old: Rotation | None
) -> dict[str, Any]:
    """Return a layer's columns; whoever had the present turn of the old one keeps it."""
    rotation = changed_rotation(schedule.time_zone, layer, old, tx.now)
    return {
        "id": layer.id or new_id(),
        "schedule_id": schedule.id,
        "position": position,
        "name": layer.name,
        "unit": layer.unit,
        "every": layer.every,
        "handoff_time": layer.handoff_time,
        "handoff_weekday": number_of(layer.handoff_weekday),
        "starts_at": rotation.starts_at,
        "ends_at": layer.ends_at,
        "first": rotation.first,
        "restrictions": [each.model_dump(mode="json") for each in layer.restrictions],
        "created_at": tx.now,
    }


def changed_rotation(
    time_zone: str, layer: LayerWrite, old: Rotation | None, now: datetime
) -> Rotation:
    """Return a wanted layer as decisions see it; whoever has the old one's turn keeps it."""
    starts_at = layer.starts_at or (old.starts_at if old else now)
    new = rotation_of(time_zone, layer, starts_at)
    return replace(new, first=keep_turn(old, new, now)) if old else new


def rotation_of(time_zone: str, layer: LayerWrite, starts_at: datetime) -> Rotation:
    """Return a wanted layer as decisions see it."""
    return Rotation(
        zone=ZoneInfo(time_zone),
        unit=layer.unit,
        every=layer.every,
        handoff=layer.handoff_time,
        starts_at=starts_at,
        participants=tuple(layer.participants),
        weekday=number_of(layer.handoff_weekday) or 0,
        ends_at=layer.ends_at,
        windows=tuple(
            queries.window_of(each.model_dump(mode="json")) for each in layer.restrictions
        ),
    )


async def delete_schedule(tx: Tx, schedule: Schedule) -> None:
    """Delete a locked schedule with its layers and overrides."""
    await tx.session.delete(schedule)
    await tx.flush()


async def open_feed(tx: Tx, schedule_id: UUID, *, by: Principal) -> Token:
    """Give the schedule's calendar a new key; the one before is no longer valid."""
    schedule = await queries.get_schedule(tx.session, schedule_id, by, lock=True)
    token = tokens.make("isc")
    schedule.feed_digest = token.digest
    await tx.flush()
    return token


async def close_feed(tx: Tx, schedule_id: UUID, *, by: Principal) -> None:
    """Take the key of the schedule's calendar back."""
    schedule = await queries.get_schedule(tx.session, schedule_id, by, lock=True)
    schedule.feed_digest = None
    await tx.flush()


async def create_override(
    tx: Tx, schedule_id: UUID, wanted: OverrideCreate, *, by: Principal
) -> ScheduleOverride:
    """Let somebody stand in; what is over stays as it was.

    Raises:
        OverrideWrong: it ends before it begins, or is over, or nobody can be paged by it.
        OverridesOverlap: somebody else stands in during that time.
    """
    schedule = await queries.get_schedule(tx.session, schedule_id, by, lock=True)
    starts_at = max(wanted.starts_at, tx.now)
    if wanted.ends_at <= starts_at:
        raise OverrideWrong("It has to end after it begins, and after now.", "/ends_at")
    user = await tx.session.get(User, wanted.user_id, with_for_update={"read": True})
    if user is None or not user.is_active:
        raise OverrideWrong("There is no such active user.", "/user_id")
    taken = await tx.session.scalar(
        select(ScheduleOverride.id)
        .where(
            ScheduleOverride.schedule_id == schedule.id,
            ScheduleOverride.starts_at < wanted.ends_at,
            ScheduleOverride.ends_at > starts_at,
        )
        .limit(1)
    )
    if taken is not None:
        raise OverridesOverlap
    override = ScheduleOverride(
        id=new_id(),
        schedule_id=schedule.id,
        user_id=user.id,
        starts_at=starts_at,
        ends_at=wanted.ends_at,
        created_at=tx.now,
    )
    tx.session.add(override)
    await tx.flush()
    return override


async def delete_override(tx: Tx, schedule_id: UUID, override_id: UUID, *, by: Principal) -> None:
    """End an override: one that runs ends now, so that what is over stays as it was.

    Raises:
        OverrideIsOver: it has ended already.
    """
    await queries.get_schedule(tx.session, schedule_id, by, lock=True)
    override = await queries.get_override(tx.session, schedule_id, override_id)
    if override.ends_at <= tx.now:
        raise OverrideIsOver
    if override.starts_at < tx.now:
        override.ends_at = tx.now
    else:
        await tx.session.delete(override)
    await tx.flush()
