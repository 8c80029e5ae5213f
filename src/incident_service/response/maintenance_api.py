"""HTTP: maintenance windows, and what they do to incidents at once."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from incident_service.core.db import Tx
from incident_service.maintenance import actions, queries
from incident_service.maintenance.schemas import (
    MaintenanceWindowCreate,
    MaintenanceWindowPage,
    MaintenanceWindowRead,
    MaintenanceWindowUpdate,
)
from incident_service.response.maintaining import settle
from incident_service.teams.auth import Principal, Reader, Responder
from incident_service.teams.repeatable import RepeatableRoute
from incident_service.web.conditional import IfMatch, IfNoneMatch, Tagged
from incident_service.web.fields import Instant
from incident_service.web.lists.pagination import PageQuery, page_query
from incident_service.web.request import InTx

router = APIRouter(
    prefix="/maintenance-windows", tags=["maintenance windows"], route_class=RepeatableRoute
)


async def locked(tx: Tx, window_id: UUID, principal: Principal) -> MaintenanceWindowRead:
    """Lock the window, and show it."""
    window = await queries.get_window(tx.session, window_id, principal, lock=True)
    return MaintenanceWindowRead.model_validate(window)


@router.get("")
async def list_maintenance_windows(
    tx: InTx,
    principal: Reader,
    page: Annotated[PageQuery, Depends(page_query)],
    team_id: UUID | None = None,
    service_id: UUID | None = None,
    active_at: Instant | None = None,
) -> MaintenanceWindowPage:
    """List windows, newest first; of a team, about a service, running at an instant."""
    wanted = queries.WindowFilter(team_id, service_id, active_at)
    rows, next_cursor = await queries.list_windows(tx.session, wanted, principal, page)
    items = [MaintenanceWindowRead.model_validate(row) for row in rows]
    return MaintenanceWindowPage(items=items, next_cursor=next_cursor)


@router.post("", status_code=201)
async def create_maintenance_window(
    tx: InTx, principal: Responder, body: MaintenanceWindowCreate, tagged: Tagged
) -> MaintenanceWindowRead:
    """Start maintenance now, or at an instant: what it covers pages nobody until its end."""
    window = await actions.create_window(tx, body, by=principal)
    await settle(tx, window)
    return tagged.show(MaintenanceWindowRead.model_validate(window))


@router.get("/{window_id}")
async def get_maintenance_window(
    tx: InTx, principal: Reader, window_id: UUID, known: IfNoneMatch
) -> MaintenanceWindowRead:
    """Show one window."""
    window = await queries.get_window(tx.session, window_id, principal)
    return known.show(MaintenanceWindowRead.model_validate(window))


@router.patch("/{window_id}")
async def update_maintenance_window(
    tx: InTx, principal: Responder, window_id: UUID, body: MaintenanceWindowUpdate, seen: IfMatch
) -> MaintenanceWindowRead:
    """Change a window that is not over: what it no longer covers goes on at once."""
    await seen.require(locked, tx, window_id, principal)
    window = await actions.update_window(tx, window_id, body.changes(), by=principal)
    await settle(tx, window)
    return seen.show(MaintenanceWindowRead.model_validate(window))


@router.post("/{window_id}/end")
async def end_maintenance_window(
    tx: InTx, principal: Responder, window_id: UUID, seen: IfMatch
) -> MaintenanceWindowRead:
    """End a window now: what it held and is still open pages its level again."""
    await seen.require(locked, tx, window_id, principal)
    window = await actions.end_window(tx, window_id, by=principal)
    await settle(tx, window)
    return seen.show(MaintenanceWindowRead.model_validate(window))


@router.delete("/{window_id}", status_code=204)
async def delete_maintenance_window(
    tx: InTx, principal: Responder, window_id: UUID, seen: IfMatch
) -> None:
    """Delete a window that has not begun."""
    await seen.require(locked, tx, window_id, principal)
    await actions.delete_window(tx, window_id, by=principal)
