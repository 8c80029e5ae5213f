"""HTTP: the timers of an incident."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from incident_service.core.http import InTx
from incident_service.core.pagination import PageQuery, page_query
from incident_service.escalation import queries
from incident_service.escalation.schemas import EscalationJobPage, EscalationJobRead
from incident_service.incidents.queries import get_incident
from incident_service.teams.auth import Reader

router = APIRouter(prefix="/incidents", tags=["incidents"])
CONFLICTS: dict[str, str] = {}


@router.get("/{incident_id}/escalation-jobs")
async def list_escalation_jobs(
    tx: InTx,
    principal: Reader,
    incident_id: UUID,
    page: Annotated[PageQuery, Depends(page_query)],
) -> EscalationJobPage:
    """List what the incident waited and waits for, oldest first."""
    await get_incident(tx.session, incident_id, principal)
    rows, next_cursor = await queries.list_jobs(tx.session, incident_id, page)
    items = [EscalationJobRead.model_validate(row) for row in rows]
    return EscalationJobPage(items=items, next_cursor=next_cursor)
