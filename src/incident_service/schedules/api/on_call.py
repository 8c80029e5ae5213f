"""HTTP: who is on call, now and over a time."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from incident_service.core.db import Tx
from incident_service.core.ids import new_id
from incident_service.schedules import actions, oncall, queries
from incident_service.schedules.looking import present_and_next, require_few, span
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
from incident_service.teams.auth import Reader
from incident_service.web.fields import Instant
from incident_service.web.lists.pagination import PageQuery, page_query
from incident_service.web.request import InTx

router = APIRouter()
From = Annotated[Instant | None, Query(alias="from", description="Left out: now.")]
To = Annotated[Instant | None, Query(description="Left out: 14 days later.")]
At = Annotated[Instant | None, Query(description="Left out: now.")]


async def shown_shifts(tx: Tx, roster: Roster, begins: datetime, ends: datetime) -> ShiftsRead:
    """Show who is on call, and when nobody is."""
    require_few(roster, begins, ends)
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


@router.post("/schedules/preview")
async def preview_schedule(tx: InTx, principal: Reader, body: SchedulePreview) -> ShiftsRead:
    """Show who would be on call by layers that are not saved."""
    present = Roster()
    if body.schedule_id:
        schedule = await queries.get_schedule(tx.session, body.schedule_id, principal)
        present = (await queries.load_rosters(tx.session, [schedule], tx.now))[schedule.id]
    before = {layer.id: layer.rotation for layer in present.layers}
    await actions.require_usable(tx, body.layers, before)
    layers = tuple(
        Layer(
            layer.id or new_id(),
            actions.changed_rotation(
                body.time_zone, layer, before.get(layer.id) if layer.id else None, tx.now
            ),
        )
        for layer in body.layers
    )
    roster = Roster(layers, present.overrides)
    return await shown_shifts(tx, roster, *span(body.from_, body.to, tx.now, "/to"))


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
    begins, ends = span(from_, to, tx.now, "/query/to")
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
