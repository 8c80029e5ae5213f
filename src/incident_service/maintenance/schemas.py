"""What the API takes and shows of maintenance windows."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from incident_service.catalog.schemas import MatcherText
from incident_service.web.fields import Instant, Name, Patch, Request, Response
from incident_service.web.resources import Resource

WindowMatchers = Annotated[
    list[MatcherText],
    Field(
        max_length=20,
        description="Of the incident's labels, in Alertmanager's syntax; all of them have to hold. "
        "None: every incident.",
        examples=[['cluster="eu"', 'alertname=~"Disk.*"']],
    ),
]


class MaintenanceWindowCreate(Request):
    """A time in which nobody is paged by itself; at most 30 days."""

    team_id: UUID
    service_id: UUID | None = Field(None, description="null: all of the team's services.")
    matchers: WindowMatchers = Field(default_factory=list)
    starts_at: Instant | None = Field(None, description="null, or a past instant: now.")
    ends_at: Instant
    reason: Name


class MaintenanceWindowUpdate(Patch):
    """What to change of a window that is not over; `starts_at` only before it begins."""

    service_id: UUID | None = None
    matchers: WindowMatchers | None = None
    starts_at: Instant | None = None
    ends_at: Instant | None = None
    reason: Name | None = None

    @classmethod
    def nullable(cls) -> frozenset[str]:
        """Return the names of the fields that null clears."""
        return frozenset({"service_id"})


class MaintenanceWindowRead(Resource):
    """A maintenance window."""

    id: UUID
    team_id: UUID
    service_id: UUID | None
    matchers: list[str]
    starts_at: datetime
    ends_at: datetime
    ended_at: datetime | None = Field(description="When somebody ended it early.")
    reason: str
    created_by: dict[str, Any]
    created_at: datetime
    updated_at: datetime


class MaintenanceWindowPage(Response):
    """A page of maintenance windows, newest first."""

    items: list[MaintenanceWindowRead]
    next_cursor: str | None
