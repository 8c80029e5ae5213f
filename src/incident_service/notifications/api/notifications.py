"""HTTP: who was told about an incident. The path is the incident's, the rows are of here."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from incident_service.incidents.queries import get_incident
from incident_service.notifications import queries
from incident_service.notifications.schemas import NotificationPage, NotificationRead
from incident_service.teams.auth import Reader
from incident_service.web.lists.pagination import PageQuery, page_query
from incident_service.web.request import InTx

router = APIRouter(prefix="/incidents/{incident_id}/notifications", tags=["incidents"])


@router.get("")
async def list_notifications(
    tx: InTx,
    principal: Reader,
    incident_id: UUID,
    page: Annotated[PageQuery, Depends(page_query)],
) -> NotificationPage:
    """List who was told about an incident, how, and with what result, or why not; oldest first."""
    incident = await get_incident(tx.session, incident_id, principal)
    rows, next_cursor = await queries.list_notifications(tx.session, incident, page, tx.now)
    items = [NotificationRead.of(row) for row in rows]
    return NotificationPage(items=items, next_cursor=next_cursor)
