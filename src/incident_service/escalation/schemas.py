"""What the API shows of timers, and of climbs to come."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from incident_service.escalation.models import TimerKind
from incident_service.web.fields import Response, open_words


class EscalationJobRead(Response):
    """One timer of an incident: pending, executed or cancelled."""

    id: UUID
    incident_id: UUID
    kind: Annotated[TimerKind, open_words(TimerKind)]
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


class EscalationJobPage(Response):
    """A page of timers, oldest first."""

    items: list[EscalationJobRead]
    next_cursor: str | None


class PersonForeseen(Response):
    """Somebody who would be told."""

    id: UUID
    name: str


class ChannelForeseen(Response):
    """A team's channel that would be told."""

    id: UUID
    name: str


class LevelForeseen(Response):
    """A level at its time; one that would page nobody is passed over at once."""

    at: datetime
    repeat: int
    level_number: int
    people: list[PersonForeseen]
    channels: list[ChannelForeseen] = Field(description="Told in addition to people.")
    pages_nobody: bool


class EndForeseen(Response):
    """What happens when nobody has answered until then."""

    at: datetime
    kind: Annotated[
        str,
        open_words(
            ["exhausted", "nobody_to_page"],
            more="`exhausted`: the last level had its time. `nobody_to_page`: a whole pass pages "
            "nobody.",
        ),
    ]
    managers: list[PersonForeseen]
    tells_fallback_contact: bool


class PolicyPreview(Response):
    """Whom a policy would page and when, if an incident opened and nobody answered."""

    at: datetime
    total_passes: int
    levels: list[LevelForeseen]
    end: EndForeseen
