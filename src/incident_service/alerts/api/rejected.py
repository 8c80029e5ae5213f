"""HTTP: what senders sent and nobody could store. The path is the integration's."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from incident_service.alerts import quarantine
from incident_service.alerts.schemas import RejectedAlertPage, RejectedAlertRead
from incident_service.catalog.queries import get_integration
from incident_service.teams.auth import Reader
from incident_service.web.lists.pagination import PageQuery, page_query
from incident_service.web.request import InTx

router = APIRouter(prefix="/integrations/{integration_id}/rejected-alerts", tags=["integrations"])


@router.get("")
async def list_rejected_alerts(
    tx: InTx,
    principal: Reader,
    integration_id: UUID,
    page: Annotated[PageQuery, Depends(page_query)],
) -> RejectedAlertPage:
    """List alerts that could not be stored, newest first: the last 1,000, for 30 days."""
    await get_integration(tx.session, integration_id, principal)
    rows, next_cursor = await quarantine.list_rejected(tx.session, integration_id, page)
    items = [RejectedAlertRead.model_validate(row) for row in rows]
    return RejectedAlertPage(items=items, next_cursor=next_cursor)
