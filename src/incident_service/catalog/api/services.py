"""HTTP: services."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from incident_service.catalog import queries
from incident_service.catalog.actions import services as actions
from incident_service.catalog.schemas import ServiceCreate, ServicePage, ServiceRead, ServiceUpdate
from incident_service.core.db import Tx
from incident_service.teams.auth import Manager, Principal, Reader
from incident_service.teams.repeatable import RepeatableRoute
from incident_service.web.conditional import IfMatch, IfNoneMatch, Tagged
from incident_service.web.lists.pagination import PageQuery, page_query
from incident_service.web.request import InTx

router = APIRouter(prefix="/services", tags=["services"], route_class=RepeatableRoute)


async def locked(tx: Tx, service_id: UUID, principal: Principal) -> ServiceRead:
    """Lock the service, and show it."""
    service = await queries.get_service(tx.session, service_id, principal, lock=True)
    return ServiceRead.model_validate(service)


@router.get("")
async def list_services(
    tx: InTx,
    principal: Reader,
    page: Annotated[PageQuery, Depends(page_query)],
    team_id: UUID | None = None,
) -> ServicePage:
    """List services, oldest first."""
    rows, next_cursor = await queries.list_services(tx.session, principal, page, team_id=team_id)
    items = [ServiceRead.model_validate(row) for row in rows]
    return ServicePage(items=items, next_cursor=next_cursor)


@router.post("", status_code=201)
async def create_service(
    tx: InTx, principal: Manager, body: ServiceCreate, tagged: Tagged
) -> ServiceRead:
    """Make a service."""
    service = await actions.create_service(tx, body, by=principal)
    return tagged.show(ServiceRead.model_validate(service))


@router.get("/{service_id}")
async def get_service(
    tx: InTx, principal: Reader, service_id: UUID, known: IfNoneMatch
) -> ServiceRead:
    """Show one service."""
    service = await queries.get_service(tx.session, service_id, principal)
    return known.show(ServiceRead.model_validate(service))


@router.patch("/{service_id}")
async def update_service(
    tx: InTx, principal: Manager, service_id: UUID, body: ServiceUpdate, seen: IfMatch
) -> ServiceRead:
    """Change a service."""
    await seen.require(locked, tx, service_id, principal)
    service = await actions.patch_service(tx, service_id, body, by=principal)
    return seen.show(ServiceRead.model_validate(service))


@router.delete("/{service_id}", status_code=204)
async def delete_service(tx: InTx, principal: Manager, service_id: UUID, seen: IfMatch) -> None:
    """Delete a service that has no integrations and no incidents."""
    await seen.require(locked, tx, service_id, principal)
    await actions.delete_service(tx, service_id, by=principal)
