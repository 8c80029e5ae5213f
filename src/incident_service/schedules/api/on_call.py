"""HTTP: who is on call, now and over a time."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from incident_service.core.db import Tx
from incident_service.core.fields import Instant
from incident_service.core.http import InTx
from incident_service.core.ids import new_id
from incident_service.core.pagination import PageQuery, page_query
from incident_service.schedules import actions, oncall, queries
from incident_service.schedules.looking import present_and_next, span
from incident_service.schedules.models import Schedule
from incident_service.schedules.oncall import Layer, Roster
from incident_service.schedules.schemas import (
    GapRead,
    OnCallPage,
    OnCallRead,
    SchedulePreview,
    ShiftRead,
    ShiftsRead,
)
from incident_service.teams.auth import Reader, needs
from incident_service.teams.models import Scope

router = APIRouter()
From = Annotated[Instant | None, Query(alias="from", description="Left out: now.")]
To = Annotated[Instant | None, Query(description="Left out: 14 days later.")]
At = Annotated[Instant | None, Query(description="Left out: now.")]


async def shown_shifts(tx: Tx, roster: Roster, begins: datetime, ends: datetime) -> ShiftsRead:
    """Show who is on call, and when nobody is."""
    names = await queries.load_names(tx.session, roster.people())
    shifts = oncall.shifts(roster, begins, ends)
    return ShiftsRead(
        shifts=[ShiftRead.of(each, names) for each in shifts],
        gaps=[GapRead.model_validate(each) for each in oncall.gaps(roster, begins, ends)],
    )


async def shown_on_call(tx: Tx, schedules: Sequence[Schedule], at: datetime) -> list[OnCallRead]:
    """Show of each schedule who is on call at an instant, and who is next."""
    rosters = await queries.load_rosters(tx.session, schedules, at)
    everybody = set().union(*(roster.people() for roster in rosters.values()))
    names = await queries.load_names(tx.session, everybody)
    shown = []
    for schedule in schedules:
        present, following = present_and_next(rosters[schedule.id], at)
        shown.append(
            OnCallRead(
                schedule_id=schedule.id,
                schedule_name=schedule.name,
                at=at,
                now=ShiftRead.of(present, names) if present else None,
                next=ShiftRead.of(following, names) if following else None,
            )
        )
    return shown


@router.post("/schedules/preview", dependencies=[Depends(needs(Scope.READ))])
async def preview_schedule(tx: InTx, body: SchedulePreview) -> ShiftsRead:
    """Show who would be on call by layers that are not saved."""
    unsaved = [layer.model_copy(update={"id": None}) for layer in body.layers]
    await actions.require_usable(tx, unsaved, {})
    layers = tuple(
        Layer(new_id(), actions.rotation_of(body.time_zone, layer, layer.starts_at or tx.now))
        for layer in unsaved
    )
    return await shown_shifts(tx, Roster(layers), *span(body.from_, body.to, tx.now))


@router.get("/schedules/{schedule_id}/on-call")
async def get_schedule_on_call(
    tx: InTx, principal: Reader, schedule_id: UUID, at: At = None
) -> OnCallRead:
    """Say who is on call at an instant, until when, and who is next."""
    schedule = await queries.get_schedule(tx.session, schedule_id, principal)
    (shown,) = await shown_on_call(tx, [schedule], at or tx.now)
    return shown


@router.get("/schedules/{schedule_id}/shifts")
async def list_shifts(
    tx: InTx, principal: Reader, schedule_id: UUID, from_: From = None, to: To = None
) -> ShiftsRead:
    """List who is on call over a time of at most 366 days, and when nobody is."""
    schedule = await queries.get_schedule(tx.session, schedule_id, principal)
    begins, ends = span(from_, to, tx.now)
    rosters = await queries.load_rosters(tx.session, [schedule], begins)
    return await shown_shifts(tx, rosters[schedule.id], begins, ends)


@router.get("/schedules/{schedule_id}/gaps")
async def list_gaps(
    tx: InTx, principal: Reader, schedule_id: UUID, from_: From = None, to: To = None
) -> list[GapRead]:
    """List when nobody is on call."""
    return (await list_shifts(tx, principal, schedule_id, from_, to)).gaps


@router.get("/on-call")
async def list_on_call(
    tx: InTx,
    principal: Reader,
    page: Annotated[PageQuery, Depends(page_query)],
    team_id: UUID | None = None,
    at: At = None,
) -> OnCallPage:
    """Say of each schedule who is on call, until when, and who is next."""
    rows, next_cursor = await queries.list_schedules(tx.session, principal, page, team_id=team_id)
    items = await shown_on_call(tx, rows, at or tx.now)
    return OnCallPage(items=items, next_cursor=next_cursor)
