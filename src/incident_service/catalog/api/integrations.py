"""HTTP: integrations and their keys."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Depends

from incident_service.catalog import queries
from incident_service.catalog.actions import integrations as actions
from incident_service.catalog.schemas import (
    IntegrationCreate,
    IntegrationPage,
    IntegrationRead,
    IntegrationUpdate,
    IntegrationWithKey,
    KeyRotation,
)
from incident_service.core.db import Tx
from incident_service.teams.auth import Manager, Principal, Reader
from incident_service.teams.repeatable import RepeatableRoute
from incident_service.web.conditional import IfMatch, IfNoneMatch, Tagged
from incident_service.web.lists.pagination import PageQuery, page_query
from incident_service.web.request import BaseUrl, InTx

router = APIRouter(prefix="/integrations", tags=["integrations"], route_class=RepeatableRoute)


async def locked(tx: Tx, integration_id: UUID, url: str, principal: Principal) -> IntegrationRead:
    """Lock the integration, and show it."""
    integration = await queries.get_integration(tx.session, integration_id, principal, lock=True)
    return IntegrationRead.of(integration, url)


@router.get("")
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


@router.post("", status_code=201)
async def create_integration(
    tx: InTx, principal: Manager, body: IntegrationCreate, url: BaseUrl, tagged: Tagged
) -> IntegrationWithKey:
    """Make an integration. Its key is shown in this answer only."""
    integration, key = await actions.create_integration(tx, body, by=principal)
    return tagged.show(IntegrationWithKey.of(integration, url, key=key))


@router.get("/{integration_id}")
async def get_integration(
    tx: InTx, principal: Reader, integration_id: UUID, url: BaseUrl, known: IfNoneMatch
) -> IntegrationRead:
    """Show one integration, without its key."""
    integration = await queries.get_integration(tx.session, integration_id, principal)
    return known.show(IntegrationRead.of(integration, url))


@router.patch("/{integration_id}")
async def update_integration(
    tx: InTx,
    principal: Manager,
    integration_id: UUID,
    body: IntegrationUpdate,
    url: BaseUrl,
    seen: IfMatch,
) -> IntegrationRead:
    """Change an integration."""
    await seen.require(locked, tx, integration_id, url, principal)
    changes = body.changes()
    integration = await actions.update_integration(tx, integration_id, changes, by=principal)
    return seen.show(IntegrationRead.of(integration, url))


@router.post("/{integration_id}/rotate-key")
async def rotate_integration_key(
    tx: InTx,
    principal: Manager,
    integration_id: UUID,
    url: BaseUrl,
    tagged: Tagged,
    body: Annotated[KeyRotation | None, Body()] = None,
) -> IntegrationWithKey:
    """Give an integration a new key, shown in this answer only; the present one ends later."""
    keep = timedelta(minutes=(body or KeyRotation()).keep_previous_minutes)
    integration, key = await actions.rotate_key(tx, integration_id, keep, by=principal)
    return tagged.show(IntegrationWithKey.of(integration, url, key=key))


@router.delete("/{integration_id}", status_code=204)
async def delete_integration(
    tx: InTx, principal: Manager, integration_id: UUID, url: BaseUrl, seen: IfMatch
) -> None:
    """Delete an integration through which nothing came yet; disable any other."""
    await seen.require(locked, tx, integration_id, url, principal)
    await actions.delete_integration(tx, integration_id, by=principal)
