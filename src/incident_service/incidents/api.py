"""HTTP: incidents and their timeline. The verbs are in `response`."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import PlainTextResponse

from incident_service.incidents import queries, sentences
from incident_service.incidents.lifecycle import Status
from incident_service.incidents.models import IncidentEvent
from incident_service.incidents.narrowing import Narrowed, Sort
from incident_service.incidents.related import shown_related, tag_of
from incident_service.incidents.schemas import (
    EventPage,
    EventRead,
    IncidentDetail,
    IncidentPage,
    IncidentRead,
)
from incident_service.incidents.stream import api as stream
from incident_service.teams.auth import Reader
from incident_service.web.conditional import IfNoneMatch
from incident_service.web.fields import Instant, Text
from incident_service.web.lists.pagination import (
    NUMBER,
    PageQuery,
    page_query,
    pages_of,
    slice_numbered,
)
from incident_service.web.request import InTx
from incident_service.web.timespans import require_span

router = APIRouter(prefix="/incidents", tags=["incidents"])
CONFLICTS = {
    "uq_incidents_active": "Another incident of the same service and fingerprint is active.",
}


class TimelineFormat(StrEnum):
    """How a timeline is written."""

    JSON = "json"
    TEXT = "text"


def incident_filter(
    *,
    status: Annotated[list[Status] | None, Query()] = None,
    team_id: UUID | None = None,
    fingerprint: Text | None = None,
    created_from: Instant | None = None,
    created_before: Instant | None = None,
    narrowed: Narrowed,
) -> queries.IncidentFilter:
    """Read the filters of the query string; several values of one filter mean "any of"."""
    require_span(created_from, created_before, "/query/created_from")
    return queries.IncidentFilter(
        statuses=status or (),
        team_id=team_id,
        fingerprint=fingerprint,
        created_from=created_from,
        created_before=created_before,
        narrowed=narrowed,
    )


@router.get("")
async def list_incidents(
    tx: InTx,
    principal: Reader,
    wanted: Annotated[queries.IncidentFilter, Depends(incident_filter)],
    page: Annotated[PageQuery, Depends(page_query)],
    sort: Sort = Sort.NEWEST,
) -> IncidentPage:
    """List incidents, the newest or the most urgent first."""
    rows, next_cursor = await queries.list_incidents(tx.session, wanted, principal, page, sort)
    items = [IncidentRead.model_validate(row) for row in rows]
    return IncidentPage(items=items, next_cursor=next_cursor)


# Before what would take its name for an id.
router.include_router(stream.router)


@router.get("/{incident_id}")
async def get_incident(
    tx: InTx, principal: Reader, incident_id: UUID, known: IfNoneMatch
) -> IncidentDetail:
    """Show one incident, and which others are linked to it.

    Its `ETag` begins with the number of its last event.
    """
    incident = await queries.get_incident(tx.session, incident_id, principal)
    related = await shown_related(tx.session, incident_id, principal)
    shown = IncidentRead.model_validate(incident).model_dump()
    detail = IncidentDetail(**shown, related=related)
    return known.show_as(detail, tag_of(incident, related))


@router.get(
    "/{incident_id}/timeline",
    response_model=EventPage,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def list_timeline(
    tx: InTx,
    principal: Reader,
    incident_id: UUID,
    page: Annotated[PageQuery, Depends(pages_of(100))],
    response: Response,
    shape: Annotated[
        TimelineFormat,
        Query(alias="format", description="`text`: a sentence an event, as text/plain."),
    ] = TimelineFormat.JSON,
) -> EventPage | PlainTextResponse:
    """Show what happened to an incident, oldest first.

    As text, a further page is told of by a `Link` header with `rel="next"`.
    """
    await queries.get_incident(tx.session, incident_id, principal)
    place = page.place(NUMBER)
    after = place[0] if place else 0
    rows = await queries.list_events(tx.session, incident_id, after=after, limit=page.limit + 1)
    shown, next_cursor = slice_numbered(rows, "sequence", page)
    if shape is TimelineFormat.JSON:
        items = [EventRead.model_validate(row) for row in shown]
        return EventPage(items=items, next_cursor=next_cursor)
    return PlainTextResponse(
        "".join(f"{sentences.line(row.at, describe(row))}\n" for row in shown),
        headers=dict(response.headers),
    )


def describe(row: IncidentEvent) -> sentences.Event:
    """Return what an event's sentence is made of."""
    return sentences.Event(row.kind, row.actor, row.reason, row.data)
