"""HTTP: the alerts of an incident. The path is the incident's, the rows are of here."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from incident_service.alerts import queries
from incident_service.alerts.schemas import AlertPage, AlertRead
from incident_service.incidents.queries import get_incident
from incident_service.teams.auth import Reader
from incident_service.web.lists.pagination import PageQuery, page_query
from incident_service.web.request import InTx

router = APIRouter(prefix="/incidents/{incident_id}/alerts", tags=["incidents"])


@router.get("")
async def list_incident_alerts(
    tx: InTx,
    principal: Reader,
    incident_id: UUID,
    page: Annotated[PageQuery, Depends(page_query)],
) -> AlertPage:
    """List the alerts of an incident, one item for each time that one fired; oldest first."""
    await get_incident(tx.session, incident_id, principal)
    rows, next_cursor = await queries.list_alerts(tx.session, incident_id, page)
    items = [AlertRead.model_validate(row) for row in rows]
    return AlertPage(items=items, next_cursor=next_cursor)
