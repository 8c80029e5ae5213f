"""HTTP: the report of one incident, the numbers of many."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response

from incident_service.catalog.priority import Priority
from incident_service.core.errors import Invalid
from incident_service.hindsight import queries
from incident_service.hindsight.markdown import as_markdown
from incident_service.hindsight.report import make_report
from incident_service.hindsight.schemas import (
    Analytics,
    IncidentReport,
    Noise,
    PersonPages,
    StatusCount,
    TimesRead,
)
from incident_service.incidents.lifecycle import Status
from incident_service.incidents.queries import get_incident
from incident_service.teams.auth import Reader
from incident_service.teams.schemas import TimeZone
from incident_service.web.fields import Instant
from incident_service.web.request import InTx
from incident_service.web.timespans import require_span

router = APIRouter()
CONFLICTS: dict[str, str] = {}
USUAL_SPAN = timedelta(days=30)
LONGEST_SPAN = timedelta(days=366)
ALSO_MARKDOWN: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/markdown": {"schema": {"type": "string"}}}}
}


class ReportFormat(StrEnum):
    """How a report is written."""

    JSON = "json"
    MARKDOWN = "markdown"


@router.get(
    "/incidents/{incident_id}/report",
    tags=["incidents"],
    response_model=IncidentReport,
    responses=ALSO_MARKDOWN,
)
async def get_incident_report(
    tx: InTx,
    principal: Reader,
    incident_id: UUID,
    form: Annotated[ReportFormat, Query(alias="format")] = ReportFormat.JSON,
) -> IncidentReport | Response:
    """Say what happened, when, who did what, and how long it took; as JSON or as Markdown."""
    incident = await get_incident(tx.session, incident_id, principal)
    report = make_report(await queries.load_facts(tx.session, incident))
    if form is ReportFormat.MARKDOWN:
        return Response(as_markdown(report), media_type="text/markdown; charset=utf-8")
    return IncidentReport.model_validate(report)


class ZoneUnknown(Invalid):
    """PostgreSQL does not know this time zone."""


@router.get("/analytics", tags=["analytics"])
async def get_analytics(
    *,
    tx: InTx,
    principal: Reader,
    began_from: Annotated[
        Instant | None, Query(alias="from", description="Usually 30 days before `to`.")
    ] = None,
    began_before: Annotated[
        Instant | None, Query(alias="to", description="Usually now; at most 366 days later.")
    ] = None,
    team_id: UUID | None = None,
    service_id: UUID | None = None,
    time_zone: Annotated[TimeZone, Query(description="Of the hours of the day.")] = "UTC",
) -> Analytics:
    """Say how the incidents that began in a span went: counts, times, pages, noise."""
    before = began_before or tx.now
    since = began_from or before - USUAL_SPAN
    require_span(since, before, "/query/from", longest=LONGEST_SPAN)
    if not await queries.knows_zone(tx.session, time_zone):
        raise ZoneUnknown("The database does not know this time zone.", "/query/time_zone")
    scope = queries.Scope(since, before, principal.narrowed(team_id), service_id)
    await queries.take_memory(tx.session)
    counts = await queries.count_incidents(tx.session, scope)
    pages = await queries.count_pages(tx.session, scope, time_zone)
    noise = await queries.noisiest(tx.session, scope)
    return Analytics(
        began_from=since,
        began_before=before,
        time_zone=time_zone,
        incidents=sum(counts.values()),
        by_status={each: sum_of(counts, each) for each in Status},
        by_priority={each: sum_of(counts, each) for each in Priority},
        by_status_and_priority=[
            StatusCount(status=status, priority=priority, incidents=count)
            for (status, priority), count in in_order(counts)
        ],
        time_to_acknowledge=TimesRead.model_validate(
            await queries.time_to_acknowledge(tx.session, scope)
        ),
        time_to_resolve=TimesRead.model_validate(await queries.time_to_resolve(tx.session, scope)),
        pages_by_person=[
            PersonPages(user_id=row.user_id, name=row.recipient, pages=row.pages)
            for row in pages.by_person
        ],
        pages_by_hour=list(pages.by_hour),
        noisiest=[Noise.model_validate(row) for row in noise],
    )


Counts = Mapping[tuple[Status, Priority], int]


def sum_of(counts: Counts, wanted: Status | Priority) -> int:
    """Add up the counts of a status or of a priority."""
    return sum(count for key, count in counts.items() if wanted in key)


def in_order(counts: Counts) -> list[tuple[tuple[Status, Priority], int]]:
    """Return the counts, most urgent first."""
    statuses = list(Status)
    return sorted(counts.items(), key=lambda item: (statuses.index(item[0][0]), item[0][1].rank))
