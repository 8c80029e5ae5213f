"""HTTP: who stands in for whom."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from incident_service.core.db import Tx
from incident_service.schedules import actions, queries
from incident_service.schedules.schemas import (
    OverrideCreate,
    OverridePage,
    OverrideRead,
)
from incident_service.teams.auth import Principal, Reader, Responder
from incident_service.teams.repeatable import RepeatableRoute
from incident_service.web.conditional import IfMatch, Tagged
from incident_service.web.lists.pagination import PageQuery, page_query
from incident_service.web.request import InTx

router = APIRouter(route_class=RepeatableRoute)


async def locked(
    tx: Tx, schedule_id: UUID, override_id: UUID, principal: Principal
) -> OverrideRead:
    """Lock the schedule, and show the override."""
    await queries.get_schedule(tx.session, schedule_id, principal, lock=True)
    override = await queries.get_override(tx.session, schedule_id, override_id)
    return OverrideRead.model_validate(override)


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
    tx: InTx, principal: Responder, schedule_id: UUID, body: OverrideCreate, tagged: Tagged
) -> OverrideRead:
    """Let somebody stand in for whoever is on call."""
    override = await actions.create_override(tx, schedule_id, body, by=principal)
    return tagged.show(OverrideRead.model_validate(override))


@router.delete("/schedules/{schedule_id}/overrides/{override_id}", status_code=204)
async def delete_override(
    tx: InTx, principal: Responder, schedule_id: UUID, override_id: UUID, seen: IfMatch
) -> None:
    """Delete an override; one that runs ends now."""
    await seen.require(locked, tx, schedule_id, override_id, principal)
    await actions.delete_override(tx, schedule_id, override_id, by=principal)
