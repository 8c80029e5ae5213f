"""HTTP: API keys. A key that is limited to teams manages only keys limited to the same ones."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from incident_service.core.db import Tx
from incident_service.teams import queries
from incident_service.teams.actions import api_keys as actions
from incident_service.teams.auth import Admin, Principal
from incident_service.teams.repeatable import RepeatableRoute
from incident_service.teams.schemas import (
    ApiKeyCreate,
    ApiKeyCreated,
    ApiKeyPage,
    ApiKeyRead,
    ApiKeyUpdate,
)
from incident_service.web.conditional import IfMatch, IfNoneMatch, Tagged
from incident_service.web.lists.pagination import PageQuery, page_query
from incident_service.web.request import InTx

router = APIRouter(prefix="/api-keys", tags=["API keys"], route_class=RepeatableRoute)


async def locked(tx: Tx, api_key_id: UUID, principal: Principal) -> ApiKeyRead:
    """Lock the key, and show it."""
    row = await queries.get_api_key(tx.session, api_key_id, principal, lock=True)
    return ApiKeyRead.model_validate(row)


@router.get("")
async def list_api_keys(
    tx: InTx, principal: Admin, page: Annotated[PageQuery, Depends(page_query)]
) -> ApiKeyPage:
    """List API keys, oldest first; the keys themselves are not kept."""
    rows, next_cursor = await queries.list_api_keys(tx.session, principal, page)
    items = [ApiKeyRead.model_validate(row) for row in rows]
    return ApiKeyPage(items=items, next_cursor=next_cursor)


@router.post("", status_code=201)
async def create_api_key(
    tx: InTx, principal: Admin, body: ApiKeyCreate, tagged: Tagged
) -> ApiKeyCreated:
    """Make an API key. Its text is shown in this answer only."""
    row, key = await actions.create_api_key(tx, body, by=principal)
    return tagged.show(ApiKeyCreated(key=key, **ApiKeyRead.model_validate(row).model_dump()))


@router.get("/{api_key_id}")
async def get_api_key(
    tx: InTx, principal: Admin, api_key_id: UUID, known: IfNoneMatch
) -> ApiKeyRead:
    """Show one API key, without its text."""
    row = await queries.get_api_key(tx.session, api_key_id, principal)
    return known.show(ApiKeyRead.model_validate(row))


@router.patch("/{api_key_id}")
async def update_api_key(
    tx: InTx, principal: Admin, api_key_id: UUID, body: ApiKeyUpdate, seen: IfMatch
) -> ApiKeyRead:
    """Change the name or the expiry of an API key."""
    await seen.require(locked, tx, api_key_id, principal)
    row = await actions.update_api_key(tx, api_key_id, body.changes(), by=principal)
    return seen.show(ApiKeyRead.model_validate(row))


@router.post("/{api_key_id}/revoke")
async def revoke_api_key(
    tx: InTx, principal: Admin, api_key_id: UUID, tagged: Tagged
) -> ApiKeyRead:
    """End an API key for good and keep its record. A second time changes nothing."""
    row = await actions.revoke_api_key(tx, api_key_id, by=principal)
    return tagged.show(ApiKeyRead.model_validate(row))


@router.delete("/{api_key_id}", status_code=204)
async def delete_api_key(tx: InTx, principal: Admin, api_key_id: UUID, seen: IfMatch) -> None:
    """End an API key and forget it. The bootstrap key can only be revoked."""
    await seen.require(locked, tx, api_key_id, principal)
    await actions.delete_api_key(tx, api_key_id, by=principal)
