"""HTTP: schedules."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request

from incident_service.core.db import Tx
from incident_service.schedules import actions, queries
from incident_service.schedules.models import Schedule, ScheduleLayer
from incident_service.schedules.schemas import (
    LayerRead,
    RestrictionRead,
    ScheduleColumns,
    ScheduleCreate,
    SchedulePage,
    ScheduleRead,
    ScheduleUpdate,
    weekday_of,
)
from incident_service.teams.auth import Manager, Principal, Reader
from incident_service.teams.in_use import InUse, refuse_while_in_use
from incident_service.teams.repeatable import RepeatableRoute
from incident_service.web.conditional import IfMatch, IfNoneMatch, Tagged
from incident_service.web.lists.pagination import PageQuery, page_query
from incident_service.web.request import InTx

router = APIRouter(route_class=RepeatableRoute)


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
            has_calendar_feed=schedule.feed_digest is not None,
        )
        for schedule in schedules
    ]


async def locked(tx: Tx, schedule_id: UUID, principal: Principal) -> ScheduleRead:
    """Lock the schedule, and show it."""
    schedule = await queries.get_schedule(tx.session, schedule_id, principal, lock=True)
    return (await with_layers(tx, [schedule]))[0]


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
        restrictions=[RestrictionRead.model_validate(each) for each in layer.restrictions],
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
async def create_schedule(
    tx: InTx, principal: Manager, body: ScheduleCreate, tagged: Tagged
) -> ScheduleRead:
    """Make a schedule."""
    schedule = await actions.create_schedule(tx, body, by=principal)
    return tagged.show((await with_layers(tx, [schedule]))[0])


@router.get("/schedules/{schedule_id}")
async def get_schedule(
    tx: InTx, principal: Reader, schedule_id: UUID, known: IfNoneMatch
) -> ScheduleRead:
    """Show one schedule."""
    schedule = await queries.get_schedule(tx.session, schedule_id, principal)
    return known.show((await with_layers(tx, [schedule]))[0])


@router.patch("/schedules/{schedule_id}")
async def update_schedule(
    tx: InTx, principal: Manager, schedule_id: UUID, body: ScheduleUpdate, seen: IfMatch
) -> ScheduleRead:
    """Change a schedule. Whoever is on call in a layer that keeps its id stays so."""
    await seen.require(locked, tx, schedule_id, principal)
    schedule = await actions.update_schedule(tx, schedule_id, body, by=principal)
    return seen.show((await with_layers(tx, [schedule]))[0])


@router.delete("/schedules/{schedule_id}", status_code=204)
async def delete_schedule(
    tx: InTx,
    principal: Manager,
    schedule_id: UUID,
    seen: IfMatch,
    checks: Annotated[Sequence[InUse], Depends(schedule_in_use)],
) -> None:
    """Delete a schedule that no escalation policy pages."""
    await seen.require(locked, tx, schedule_id, principal)
    schedule = await queries.get_schedule(tx.session, schedule_id, principal, lock=True)
    await refuse_while_in_use(tx, schedule_id, checks)
    await actions.delete_schedule(tx, schedule)
