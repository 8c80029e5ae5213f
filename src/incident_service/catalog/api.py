"""HTTP: services and integrations."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Depends

from incident_service.catalog import actions, queries
from incident_service.catalog.schemas import (
    IntegrationCreate,
    IntegrationPage,
    IntegrationRead,
    IntegrationUpdate,
    IntegrationWithKey,
    KeyRotation,
    ServiceCreate,
    ServicePage,
    ServiceRead,
    ServiceUpdate,
)
from incident_service.core.http import BaseUrl, InTx
from incident_service.core.pagination import PageQuery, page_query
from incident_service.teams.auth import Manager, Reader

router = APIRouter()
CONFLICTS: dict[str, str] = {
    "uq_services_name": "The team has another service of this name.",
    "uq_services_external_id": "Another service has this external_id.",
    "uq_integrations_name": "The service has another integration of this name.",
    "fk_integrations_service_id": "Integrations still send to this service; delete them first.",
    "fk_routing_rules_service_id": "Routing rules still send to this service; delete them first.",
    "fk_incidents_service_id": "The service has incidents, which are kept.",
    "fk_alerts_service_id": "The service has alerts, which are kept.",
    "fk_alerts_integration_id": "Alerts came through this integration and are kept; "
    "disable it instead.",
}


@router.get("/services", tags=["services"])
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


@router.post("/services", status_code=201, tags=["services"])
async def create_service(tx: InTx, principal: Manager, body: ServiceCreate) -> ServiceRead:
    """Make a service."""
    return ServiceRead.model_validate(await actions.create_service(tx, body, by=principal))


@router.get("/services/{service_id}", tags=["services"])
async def get_service(tx: InTx, principal: Reader, service_id: UUID) -> ServiceRead:
    """Show one service."""
    service = await queries.get_service(tx.session, service_id, principal)
    return ServiceRead.model_validate(service)


@router.patch("/services/{service_id}", tags=["services"])
async def update_service(
    tx: InTx, principal: Manager, service_id: UUID, body: ServiceUpdate
) -> ServiceRead:
    """Change a service."""
    service = await actions.update_service(tx, service_id, body.changes(), by=principal)
    return ServiceRead.model_validate(service)


@router.delete("/services/{service_id}", status_code=204, tags=["services"])
async def delete_service(tx: InTx, principal: Manager, service_id: UUID) -> None:
    """Delete a service that has no integrations and no incidents."""
    await actions.delete_service(tx, service_id, by=principal)


@router.get("/integrations", tags=["integrations"])
async def list_integrations(
    tx: InTx,
    principal: Reader,
    page: Annotated[PageQuery, Depends(page_query)],
    url: BaseUrl,
    service_id: UUID | None = None,
) -> IntegrationPage:
    """List integrations, oldest first; their keys are not kept."""
    rows, next_cursor = await queries.list_integrations(
        tx.session, principal, page, service_id=service_id
    )
    return IntegrationPage(
        items=[IntegrationRead.of(row, url) for row in rows], next_cursor=next_cursor
    )


@router.post("/integrations", status_code=201, tags=["integrations"])
async def create_integration(
    tx: InTx, principal: Manager, body: IntegrationCreate, url: BaseUrl
) -> IntegrationWithKey:
    """Make an integration. Its key is shown in this answer only."""
    integration, key = await actions.create_integration(tx, body, by=principal)
    return IntegrationWithKey.of(integration, url, key=key)


@router.get("/integrations/{integration_id}", tags=["integrations"])
async def get_integration(
    tx: InTx, principal: Reader, integration_id: UUID, url: BaseUrl
) -> IntegrationRead:
    """Show one integration, without its key."""
    integration = await queries.get_integration(tx.session, integration_id, principal)
    return IntegrationRead.of(integration, url)


@router.patch("/integrations/{integration_id}", tags=["integrations"])
async def update_integration(
    tx: InTx, principal: Manager, integration_id: UUID, body: IntegrationUpdate, url: BaseUrl
) -> IntegrationRead:
    """Change an integration."""
    changes = body.changes()
    integration = await actions.update_integration(tx, integration_id, changes, by=principal)
    return IntegrationRead.of(integration, url)


@router.post("/integrations/{integration_id}/rotate-key", tags=["integrations"])
async def rotate_integration_key(
    tx: InTx,
    principal: Manager,
    integration_id: UUID,
    url: BaseUrl,
    body: Annotated[KeyRotation | None, Body()] = None,
) -> IntegrationWithKey:
    """Give an integration a new key, shown in this answer only; the present one ends later."""
    keep = timedelta(minutes=(body or KeyRotation()).keep_previous_minutes)
    integration, key = await actions.rotate_key(tx, integration_id, keep, by=principal)
    return IntegrationWithKey.of(integration, url, key=key)


@router.delete("/integrations/{integration_id}", status_code=204, tags=["integrations"])
async def delete_integration(tx: InTx, principal: Manager, integration_id: UUID) -> None:
    """Delete an integration through which nothing came yet; disable any other."""
    await actions.delete_integration(tx, integration_id, by=principal)
