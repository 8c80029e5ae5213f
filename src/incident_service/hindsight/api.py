"""HTTP: the report of an incident. The path is the incident's, what it says is from everywhere."""

from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response

from incident_service.core.http import InTx
from incident_service.hindsight import queries
from incident_service.hindsight.markdown import as_markdown
from incident_service.hindsight.report import make_report
from incident_service.hindsight.schemas import IncidentReport
from incident_service.incidents.queries import get_incident
from incident_service.teams.auth import Reader

router = APIRouter()
CONFLICTS: dict[str, str] = {}
ALSO_MARKDOWN: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/markdown": {"schema": {"type": "string"}}}}
}


class Format(StrEnum):
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
    form: Annotated[Format, Query(alias="format")] = Format.JSON,
) -> IncidentReport | Response:
    """Say what happened, when, who did what, and how long it took; as JSON or as Markdown."""
    incident = await get_incident(tx.session, incident_id, principal)
    report = make_report(await queries.load_facts(tx.session, incident))
    if form is Format.MARKDOWN:
        return Response(as_markdown(report), media_type="text/markdown; charset=utf-8")
    return IncidentReport.model_validate(report)
