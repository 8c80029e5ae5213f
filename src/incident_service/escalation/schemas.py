"""What the API shows of timers."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field

from incident_service.core.fields import Response
from incident_service.escalation.models import TimerKind


class EscalationJobRead(Response):
    """One timer of an incident: pending, executed or cancelled."""

    id: UUID
    incident_id: UUID
    kind: TimerKind
    arq_job_id: str
    epoch: int
    scheduled_repeat: int
    scheduled_level: int = Field(description="One above the last level stands for the exhaustion.")
    scheduled_for: datetime
    completed: bool
    outcome: str | None = Field(description="An open set: paged, skipped, exhausted, …")
    executed_at: datetime | None
    cancelled_at: datetime | None
    created_at: datetime


class EscalationJobPage(BaseModel):
    """A page of timers, oldest first."""

    items: list[EscalationJobRead]
    next_cursor: str | None
