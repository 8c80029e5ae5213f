"""HTTP: schedules, overrides, who is on call."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request

from incident_service.core.db import Tx
from incident_service.core.fields import Instant
from incident_service.core.http import InTx
from incident_service.core.ids import new_id
from incident_service.core.pagination import PageQuery, page_query
from incident_service.schedules import actions, oncall, queries
from incident_service.schedules.looking import present_and_next, span
from incident_service.schedules.models import Schedule, ScheduleLayer
from incident_service.schedules.oncall import Layer, Roster
from incident_service.schedules.schemas import (
    GapRead,
    LayerRead,
    OnCallPage,
    OnCallRead,
    OverrideCreate,
    OverridePage,
    OverrideRead,
    Restriction,
    ScheduleColumns,
    ScheduleCreate,
    SchedulePage,
    SchedulePreview,
    ScheduleRead,
    ScheduleUpdate,
    ShiftRead,
    ShiftsRead,
    weekday_of,
)
from incident_service.teams.auth import Manager, Reader, Responder, needs
from incident_service.teams.in_use import InUse, refuse_while_in_use
from incident_service.teams.models import Scope

router = APIRouter(tags=["schedules"])
CONFLICTS: dict[str, str] = {
    "uq_schedules_name": "The team has another schedule of this name.",
    "fk_schedules_team_id": "Schedules still belong to this team; delete them first.",
    "fk_schedule_participants_user_id": "The user still takes turns in a schedule.",
    "fk_schedule_overrides_user_id": "The user stands in, or stood in, for somebody in a schedule.",
}
From = Annotated[Instant | None, Query(alias="from", description="Left out: now.")]
To = Annotated[Instant | None, Query(description="Left out: 14 days later.")]
At = Annotated[Instant | None, Query(description="Left out: now.")]


def schedule_in_use(request: Request) -> Sequence[InUse]:
    """Return what domains above say of schedules that they need."""
    checks: Sequence[InUse] = request.app.state.schedule_in_use
    return checks


async def with_layers(tx: Tx, schedules: Sequence[Schedule]) -> list[ScheduleRead]:
    """Show schedules together with their layers."""
    layers, people = await queries.load_layers(tx.session, [each.id for each in schedules])
    return [
        ScheduleRead(
            **ScheduleColumns.model_validate(schedule).model_dump(),
            layers=[
                shown_layer(layer, people.get(layer.id, []))
                for layer in layers.get(schedule.id, [])
            ],
        )
        for schedule in schedules
    ]


def shown_layer(layer: ScheduleLayer, participants: list[UUID]) -> LayerRead:
    """Show a layer."""
    return LayerRead(
        id=layer.id,
        name=layer.name,
        unit=layer.unit,
        every=layer.every,
        handoff_time=layer.handoff_time,
        handoff_weekday=weekday_of(layer.handoff_weekday),
        starts_at=layer.starts_at,
        ends_at=layer.ends_at,
        participants=participants,
        restrictions=[Restriction.model_validate(each) for each in layer.restrictions],
    )


def shown_shifts(roster: Roster, begins: datetime, ends: datetime) -> ShiftsRead:
    """Show who is on call, and when nobody is."""
    return ShiftsRead(
        shifts=[ShiftRead.model_validate(each) for each in oncall.shifts(roster, begins, ends)],
        gaps=[GapRead.model_validate(each) for each in oncall.gaps(roster, begins, ends)],
    )


def shown_on_call(schedule: Schedule, roster: Roster, at: datetime) -> OnCallRead:
    """Show who is on call at an instant, and who is next."""
    present, following = present_and_next(roster, at)
    return OnCallRead(
        schedule_id=schedule.id,
        schedule_name=schedule.name,
        at=at,
        now=ShiftRead.model_validate(present) if present else None,
        next=ShiftRead.model_validate(following) if following else None,
    )


@router.get("/schedules")
async def list_schedules(
    tx: InTx,
    principal: Reader,
    page: Annotated[PageQuery, Depends(page_query)],
    team_id: UUID | None = None,
) -> SchedulePage:
    """List schedules, oldest first."""
    rows, next_cursor = await queries.list_schedules(tx.session, principal, page, team_id=team_id)
    return SchedulePage(items=await with_layers(tx, rows), next_cursor=next_cursor)


@router.post("/schedules", status_code=201)
async def create_schedule(tx: InTx, principal: Manager, body: ScheduleCreate) -> ScheduleRead:
    """Make a schedule."""
    schedule = await actions.create_schedule(tx, body, by=principal)
    return (await with_layers(tx, [schedule]))[0]


@router.post("/schedules/preview", dependencies=[Depends(needs(Scope.READ))])
async def preview_schedule(tx: InTx, body: SchedulePreview) -> ShiftsRead:
    """Show who would be on call by layers that are not saved."""
    unsaved = [layer.model_copy(update={"id": None}) for layer in body.layers]
    await actions.require_usable(tx, unsaved, {})
    layers = tuple(
        Layer(new_id(), actions.rotation_of(body.time_zone, layer, layer.starts_at or tx.now))
        for layer in unsaved
    )
    return shown_shifts(Roster(layers), *span(body.from_, body.to, tx.now))


@router.get("/schedules/{schedule_id}")
async def get_schedule(tx: InTx, principal: Reader, schedule_id: UUID) -> ScheduleRead:
    """Show one schedule."""
    schedule = await queries.get_schedule(tx.session, schedule_id, principal)
    return (await with_layers(tx, [schedule]))[0]


@router.patch("/schedules/{schedule_id}")
async def update_schedule(
    tx: InTx, principal: Manager, schedule_id: UUID, body: ScheduleUpdate
) -> ScheduleRead:
    """Change a schedule. Whoever is on call in a layer that keeps its id stays so."""
    schedule = await actions.update_schedule(tx, schedule_id, body, by=principal)
    return (await with_layers(tx, [schedule]))[0]


@router.delete("/schedules/{schedule_id}", status_code=204)
async def delete_schedule(
    tx: InTx,
    principal: Manager,
    schedule_id: UUID,
    checks: Annotated[Sequence[InUse], Depends(schedule_in_use)],
) -> None:
    """Delete a schedule that no escalation policy pages."""
    schedule = await queries.get_schedule(tx.session, schedule_id, principal, lock=True)
    await refuse_while_in_use(tx.session, schedule_id, checks)
    await actions.delete_schedule(tx, schedule)


@router.get("/schedules/{schedule_id}/on-call")
async def get_schedule_on_call(
    tx: InTx, principal: Reader, schedule_id: UUID, at: At = None
) -> OnCallRead:
    """Say who is on call at an instant, until when, and who is next."""
    schedule = await queries.get_schedule(tx.session, schedule_id, principal)
    at = at or tx.now
    rosters = await queries.load_rosters(tx.session, [schedule], at)
    return shown_on_call(schedule, rosters[schedule.id], at)


@router.get("/schedules/{schedule_id}/shifts")
async def list_shifts(
    tx: InTx, principal: Reader, schedule_id: UUID, from_: From = None, to: To = None
) -> ShiftsRead:
    """List who is on call over a time of at most 366 days, and when nobody is."""
    schedule = await queries.get_schedule(tx.session, schedule_id, principal)
    begins, ends = span(from_, to, tx.now)
    rosters = await queries.load_rosters(tx.session, [schedule], begins)
    return shown_shifts(rosters[schedule.id], begins, ends)


@router.get("/schedules/{schedule_id}/gaps")
async def list_gaps(
    tx: InTx, principal: Reader, schedule_id: UUID, from_: From = None, to: To = None
) -> list[GapRead]:
    """List when nobody is on call."""
    return (await list_shifts(tx, principal, schedule_id, from_, to)).gaps


@router.get("/schedules/{schedule_id}/overrides")
async def list_overrides(
    tx: InTx,
    principal: Reader,
    schedule_id: UUID,
    page: Annotated[PageQuery, Depends(page_query)],
) -> OverridePage:
    """List a schedule's overrides, past ones too, oldest first."""
    await queries.get_schedule(tx.session, schedule_id, principal)
    rows, next_cursor = await queries.list_overrides(tx.session, schedule_id, page)
    items = [OverrideRead.model_validate(row) for row in rows]
    return OverridePage(items=items, next_cursor=next_cursor)


@router.post("/schedules/{schedule_id}/overrides", status_code=201)
async def create_override(
    tx: InTx, principal: Responder, schedule_id: UUID, body: OverrideCreate
) -> OverrideRead:
    """Let somebody stand in for whoever is on call."""
    override = await actions.create_override(tx, schedule_id, body, by=principal)
    return OverrideRead.model_validate(override)


@router.delete("/schedules/{schedule_id}/overrides/{override_id}", status_code=204)
async def delete_override(
    tx: InTx, principal: Responder, schedule_id: UUID, override_id: UUID
) -> None:
    """Delete an override; one that runs ends now."""
    await actions.delete_override(tx, schedule_id, override_id, by=principal)


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
    at = at or tx.now
    rosters = await queries.load_rosters(tx.session, rows, at)
    items = [shown_on_call(row, rosters[row.id], at) for row in rows]
    return OnCallPage(items=items, next_cursor=next_cursor)
