"""What the API shows of incidents."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from incident_service.catalog.priority import Priority
from incident_service.core.fields import Response
from incident_service.incidents.lifecycle import Status


class IncidentRead(Response):
    """An incident as it stands now."""

    id: UUID
    number: int = Field(description="Counts up over the whole installation; may have gaps.")
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
    resolved_by: str | None
    previous_incident_id: UUID | None
    version: int


class RelatedRead(Response):
    """An incident that somebody linked to another."""

    id: UUID
    number: int
    title: str
    status: Status
    priority: Priority
    team_id: UUID


class IncidentDetail(IncidentRead):
    """An incident with those that are linked to it."""

    related: list[RelatedRead] = Field(description="Without those that the key cannot see.")


class IncidentPage(BaseModel):
    """A page of incidents."""

    items: list[IncidentRead]
    next_cursor: str | None


class EventRead(Response):
    """One entry of a timeline."""

    sequence: int = Field(description="Counts up from 1 without gaps.")
    kind: str = Field(description="An open set: ignore kinds that you do not know.")
    actor: dict[str, Any]
    reason: str | None
    data: dict[str, Any]
    at: datetime


class EventPage(BaseModel):
    """A page of a timeline, oldest first."""

    items: list[EventRead]
    next_cursor: str | None
