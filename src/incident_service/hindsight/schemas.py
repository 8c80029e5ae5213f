"""What the API shows of reports and of analytics."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from incident_service.catalog.priority import Priority
from incident_service.incidents.lifecycle import Status
from incident_service.incidents.schemas import MOST_EXACT
from incident_service.web.fields import Response


class ReportLine(Response):
    """What happened, in words."""

    sequence: int
    at: datetime
    kind: str = Field(description="As in the timeline: an open set.")
    actor: str
    said: str = Field(description="For people; the words may change.")


class DeedRead(Response):
    """Something that somebody did."""

    sequence: int
    at: datetime
    kind: str


class DeedsRead(Response):
    """What one person or program did."""

    id: UUID | None
    name: str
    deeds: list[DeedRead]


class PagesRead(Response):
    """How often one person, or a team's channel, was told of the incident, over all addresses."""

    user_id: UUID | None
    name: str
    pages: int = Field(description="Messages that were sent and ask for an answer.")
    updates: int = Field(description="Messages that were sent and inform.")
    failed: int
    taken_back: int = Field(description="Somebody answered before they were sent.")
    first_at: datetime | None
    last_at: datetime | None


class IncidentReport(Response):
    """What happened, when, who did what, and how long it took."""

    id: UUID
    number: int = Field(json_schema_extra={"maximum": MOST_EXACT})
    title: str
    status: Status
    priority: Priority
    is_quiet: bool
    service_name: str
    team_name: str
    labels: dict[str, str]
    alert_count: int
    reopened: int = Field(description="How often it was.")
    levels_paged: int = Field(description="How often a level was paged.")
    highest_level: int = Field(description="0: none was paged.")
    was_exhausted: bool
    began_at: datetime
    acknowledged_at: datetime | None = Field(description="For the first time.")
    acknowledged_by: str | None
    resolved_at: datetime | None = Field(description="For the last time.")
    resolved_by: str | None
    closed_at: datetime | None
    time_to_acknowledge_s: float | None = Field(description="Until the first acknowledge.")
    time_to_resolve_s: float | None = Field(description="Null while it is active.")
    who_did_what: list[DeedsRead]
    pages_by_person: list[PagesRead]
    timeline: list[ReportLine] = Field(
        description="The first 1,000 events; of later ones all but notes and what alerts did."
    )
    events_left_out: int


class StatusCount(Response):
    """How many incidents have a status and a priority."""

    status: Status
    priority: Priority
    incidents: int


class TimesRead(Response):
    """How long something took. Quiet incidents, which page nobody, do not count."""

    incidents: int = Field(description="Of how many.")
    mean_s: float | None = Field(description="Null: of none.")
    median_s: float | None


class PersonPages(Response):
    """How often a person was paged, or a team's channel, over all addresses."""

    user_id: UUID | None
    name: str
    pages: int


class Noise(Response):
    """A deduplication key that opened many incidents."""

    service_id: UUID
    fingerprint: str
    title: str = Field(description="The newest incident's.")
    incidents: int
    alerts: int


class Analytics(Response):
    """How incidents that began in a span went."""

    began_from: datetime
    began_before: datetime
    time_zone: str
    incidents: int
    by_status: dict[Status, int]
    by_priority: dict[Priority, int]
    by_status_and_priority: list[StatusCount] = Field(description="Without what there is none of.")
    time_to_acknowledge: TimesRead = Field(description="Until the first acknowledge: MTTA.")
    time_to_resolve: TimesRead = Field(description="Of what is over: MTTR.")
    pages_by_person: list[PersonPages] = Field(
        description="Messages that were sent and ask for an answer; most first, 200 at most."
    )
    pages_by_hour: list[int] = Field(
        description="By the hour of the day, from midnight, in `time_zone`."
    )
    noisiest: list[Noise] = Field(description="What opened the most incidents, ten at most.")
