"""HTTP: alerts of all incidents, and those of none."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from incident_service.alerts import queries
from incident_service.alerts.models import AlertStatus
from incident_service.alerts.schemas import AlertRead, FoundAlertPage
from incident_service.incidents.narrowing import Narrowed, Sort
from incident_service.teams.auth import Reader
from incident_service.web.fields import Instant, Text
from incident_service.web.lists.pagination import PageQuery, page_query
from incident_service.web.request import InTx
from incident_service.web.timespans import require_span

router = APIRouter(prefix="/alerts", tags=["alerts"])


def alert_filter(
    *,
    status: Annotated[list[AlertStatus] | None, Query()] = None,
    team_id: Annotated[UUID | None, Query(description="Of the alert's service.")] = None,
    integration_id: UUID | None = None,
    fingerprint: Annotated[Text | None, Query(description="The sender's.")] = None,
    has_incident: Annotated[
        bool | None,
        Query(description="False: those of no incident, such as a resolve that came alone."),
    ] = None,
    received_from: Annotated[
        Instant | None, Query(description="First received at this instant or later.")
    ] = None,
    received_before: Instant | None = None,
    narrowed: Narrowed,
) -> queries.AlertFilter:
    """Read the filters of the query string; several values of one filter mean "any of"."""
    require_span(received_from, received_before, "/query/received_from")
    return queries.AlertFilter(
        statuses=status or (),
        team_id=team_id,
        integration_id=integration_id,
        fingerprint=fingerprint,
        has_incident=has_incident,
        received_from=received_from,
        received_before=received_before,
        narrowed=narrowed,
    )


@router.get("")
async def list_alerts(
    tx: InTx,
    principal: Reader,
    wanted: Annotated[queries.AlertFilter, Depends(alert_filter)],
    page: Annotated[PageQuery, Depends(page_query)],
    sort: Sort = Sort.NEWEST,
) -> FoundAlertPage:
    """List alerts, one item for each time that one fired, the newest or the most urgent first.

    An alert is its service's team's, whoever has its incident.
    """
    rows, next_cursor = await queries.search_alerts(tx.session, wanted, principal, page, sort)
    items = [AlertRead.model_validate(row) for row in rows]
    return FoundAlertPage(items=items, next_cursor=next_cursor)
