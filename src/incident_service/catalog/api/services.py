"""HTTP: services."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from incident_service.catalog import queries
from incident_service.catalog.actions import services as actions
from incident_service.catalog.schemas import ServiceCreate, ServicePage, ServiceRead, ServiceUpdate
from incident_service.core.http import InTx
from incident_service.core.pagination import PageQuery, page_query
from incident_service.teams.auth import Manager, Reader
from incident_service.teams.repeatable import RepeatableRoute

router = APIRouter(prefix="/services", tags=["services"], route_class=RepeatableRoute)


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
async def create_service(tx: InTx, principal: Manager, body: ServiceCreate) -> ServiceRead:
    """Make a service."""
    return ServiceRead.model_validate(await actions.create_service(tx, body, by=principal))


@router.get("/{service_id}")
async def get_service(tx: InTx, principal: Reader, service_id: UUID) -> ServiceRead:
    """Show one service."""
    service = await queries.get_service(tx.session, service_id, principal)
    return ServiceRead.model_validate(service)


@router.patch("/{service_id}")
async def update_service(
    tx: InTx, principal: Manager, service_id: UUID, body: ServiceUpdate
) -> ServiceRead:
    """Change a service."""
    service = await actions.update_service(tx, service_id, body.changes(), by=principal)
    return ServiceRead.model_validate(service)


@router.delete("/{service_id}", status_code=204)
async def delete_service(tx: InTx, principal: Manager, service_id: UUID) -> None:
    """Delete a service that has no integrations and no incidents."""
    await actions.delete_service(tx, service_id, by=principal)
