"""HTTP: who changed what of the configuration, and which keys were refused."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from incident_service.teams import queries
from incident_service.teams.auth import Manager
from incident_service.teams.queries import AuditFilter
from incident_service.teams.schemas import AuditEntryPage, AuditEntryRead
from incident_service.web.fields import Instant
from incident_service.web.lists.pagination import PageQuery, page_query
from incident_service.web.request import InTx
from incident_service.web.timespans import require_span

router = APIRouter(prefix="/audit-log", tags=["audit log"])
Word = Annotated[str | None, Query(max_length=100, pattern="^[a-z_]+$")]


def audit_filter(
    actor_id: UUID | None = None,
    action: Word = None,
    resource_type: Word = None,
    resource_id: UUID | None = None,
    team_id: UUID | None = None,
    since: Annotated[Instant | None, Query(description="At this instant or later.")] = None,
    until: Annotated[Instant | None, Query(description="Before this instant.")] = None,
    refused: Annotated[
        bool | None, Query(description="true: refused keys only; false: changes only.")
    ] = None,
) -> AuditFilter:
    """Read which entries are wanted."""
    require_span(since, until, "/query/since")
    return AuditFilter(actor_id, action, resource_type, resource_id, team_id, since, until, refused)


@router.get("")
async def list_audit_log(
    tx: InTx,
    principal: Manager,
    wanted: Annotated[AuditFilter, Depends(audit_filter)],
    page: Annotated[PageQuery, Depends(page_query)],
) -> AuditEntryPage:
    """List changes of the configuration and refused keys, newest first.

    Managers see what belongs to their teams. What belongs to no team, such as people, API keys and
    refused keys, is for admins.
    """
    rows, next_cursor = await queries.list_audit_log(tx.session, wanted, principal, page)
    items = [AuditEntryRead.model_validate(row) for row in rows]
    return AuditEntryPage(items=items, next_cursor=next_cursor)
