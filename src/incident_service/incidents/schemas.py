"""What the API shows of incidents."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from incident_service.catalog.priority import Priority
from incident_service.incidents.lifecycle import Status
from incident_service.incidents.timeline import EventKind
from incident_service.web.fields import Response, open_words

# A number of JSON is exact up to here in every language.
MOST_EXACT = 2**53 - 1


class IncidentRead(Response):
    """An incident as it stands now."""

    id: UUID
    number: int = Field(
        description="Counts up over the whole installation; may have gaps.",
        json_schema_extra={"maximum": MOST_EXACT},
    )
    title: str
    status: Status
    priority: Priority
    is_quiet: bool = Field(description="Below its service's `page_from`: nobody is paged.")
    fingerprint: str = Field(description="Its deduplication key within the service.")
    service_id: UUID
    team_id: UUID
    assigned_user_id: UUID | None
    escalation_policy_id: UUID | None
    escalation_epoch: int
    current_level: int = Field(description="The level told last; 0: none yet.")
    current_repeat: int
    labels: dict[str, str]
    annotations: dict[str, str]
    alert_count: int = Field(description="Episodes that belong to it.")
    firing_count: int = Field(description="Episodes that still fire.")
    flap_count: int
    created_at: datetime
    acknowledged_at: datetime | None
    resolved_at: datetime | None
    closed_at: datetime | None
    last_escalated_at: datetime | None
    exhausted_at: datetime | None
    snoozed_until: datetime | None
    maintenance_window_id: UUID | None = Field(
        description="The maintenance window that holds its climb: nobody is paged until its end."
    )
    resolved_by: str | None
    previous_incident_id: UUID | None
    version: int


class RelatedRead(Response):
    """An incident that somebody linked to another."""

    id: UUID
    number: int = Field(json_schema_extra={"maximum": MOST_EXACT})
    title: str
    status: Status
    priority: Priority
    team_id: UUID


class IncidentDetail(IncidentRead):
    """An incident with those that are linked to it."""

    related: list[RelatedRead] = Field(description="Without those that the key cannot see.")


class IncidentPage(Response):
    """A page of incidents."""

    items: list[IncidentRead]
    next_cursor: str | None


class ActorRead(Response):
    """Who did something."""

    type: Annotated[str, open_words(["user", "api_key", "integration", "alerts", "system"])]
    id: UUID | None
    name: str


class EventRead(Response):
    """One entry of a timeline."""

    sequence: int = Field(description="Counts up from 1 without gaps.")
    kind: Annotated[str, open_words(EventKind, more="Ignore kinds that you do not know.")]
    actor: ActorRead
    reason: str | None
    data: dict[str, Any] = Field(description="What else there is to say of it, by its kind.")
    at: datetime


class EventPage(Response):
    """A page of a timeline, oldest first."""

    items: list[EventRead]
    next_cursor: str | None


class IncidentState(Response):
    """What a stream says of an incident, as it stands when the event is sent."""

    title: str
    status: Status
    priority: Priority
    is_quiet: bool
    assigned_user_id: UUID | None
    escalation_policy_id: UUID | None
    current_level: int = Field(description="The level told last; 0: none yet.")
    current_repeat: int
    alert_count: int
    firing_count: int
    created_at: datetime
    acknowledged_at: datetime | None
    resolved_at: datetime | None
    closed_at: datetime | None
    snoozed_until: datetime | None
    version: int = Field(description="Counts up; may be ahead of the event.")


class IncidentChange(Response):
    """The `data` of one event of the stream. `incident_id` and `sequence` together name it."""

    incident_id: UUID
    number: int
    team_id: UUID = Field(description="Whose the incident is now.")
    service_id: UUID
    sequence: int = Field(description="Counts up from 1 without gaps, in each incident.")
    kind: str = Field(description="An open set: ignore kinds that you do not know.")
    actor: dict[str, Any]
    reason: str | None
    data: dict[str, Any]
    at: datetime
    incident: IncidentState
