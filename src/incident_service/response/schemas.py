"""What the verbs ask for and answer."""

from typing import Annotated
from uuid import UUID

from pydantic import Field, model_validator

from incident_service.catalog.labels import Labels
from incident_service.catalog.priority import Priority
from incident_service.incidents.lifecycle import Status
from incident_service.incidents.schemas import IncidentRead
from incident_service.web.fields import (
    ExternalId,
    Flag,
    Instant,
    Name,
    Prose,
    Request,
    Response,
    Whole,
    Words,
)

MOST = 2**31 - 1


class VerbRequest(Request):
    """Who acts, and why. All of it may be left out."""

    user_id: UUID | None = Field(None, description="The person who acts, when the key is a tool's.")
    reason: Prose | None = None


class ResolveRequest(VerbRequest):
    """How to end an incident whose alerts may still fire."""

    until_clear: Flag = Field(
        False, description="Ignore its alerts until each has been resolved once."
    )


class SnoozeRequest(VerbRequest):
    """How long to hold the climb."""

    until: Instant


class EscalateRequest(VerbRequest):
    """Go to the next level from the one the caller saw, or begin again."""

    current_level: Whole | None = Field(
        None, ge=0, le=MOST, description="As read from the incident."
    )
    current_repeat: Whole | None = Field(
        None, ge=1, le=MOST, description="As read from the incident."
    )
    restart: Flag = Field(False, description="Begin at level 1 with the policy as it is now.")
    escalation_epoch: Whole | None = Field(
        None,
        ge=0,
        le=MOST,
        description="As read from the incident. A climb that has begun anew since is left alone, "
        "so that a restart may be asked for twice; without `restart` it is a 409.",
    )

    @model_validator(mode="after")
    def _say_what_was_seen(self) -> "EscalateRequest":
        if not self.restart and (self.current_level is None or self.current_repeat is None):
            raise ValueError("give current_level and current_repeat as you saw them, or restart")
        if self.restart and not (self.current_level is None and self.current_repeat is None):
            raise ValueError(
                "restart begins at level 1, so leave current_level and current_repeat out; "
                "escalation_epoch says what you saw"
            )
        return self


class ReassignRequest(VerbRequest):
    """Who shall deal with the incident instead."""

    escalation_policy_id: UUID | None = Field(
        None,
        description="A policy, also another team's: it pages from its level 1, and its team owns "
        "the incident from now on.",
    )
    assigned_user_id: UUID | None = Field(
        None,
        description="A person: they alone are paged, at once. Unless they acknowledge in the time "
        "of the present level, that level is paged again.",
    )

    @model_validator(mode="after")
    def _name_one(self) -> "ReassignRequest":
        if (self.escalation_policy_id is None) == (self.assigned_user_id is None):
            raise ValueError("give escalation_policy_id or assigned_user_id, one of them")
        return self


class BulkRequest(VerbRequest):
    """Many incidents of which the same is wanted."""

    incident_ids: Annotated[list[UUID], Field(min_length=1, max_length=500)]


class BulkResolveRequest(BulkRequest):
    """How to end incidents whose alerts may still fire."""

    until_clear: Flag = Field(
        False, description="Ignore their alerts until each has been resolved once."
    )


class BulkError(Response):
    """Why nothing was done to one of them."""

    code: str = Field(description="As the verb on that incident alone would answer it.")
    detail: str


class BulkAnswer(Response):
    """What became of one of them."""

    incident_id: UUID
    changed: bool = Field(description="False when it was already so, or refused.")
    status: Status | None = Field(description="Null when there is no such incident for this key.")
    error: BulkError | None


class BulkResult(Response):
    """One answer an id, in the order of the request."""

    results: list[BulkAnswer]


class PriorityRequest(VerbRequest):
    """How urgent the incident is."""

    priority: Priority


class NoteRequest(Request):
    """What somebody found out."""

    text: Words
    user_id: UUID | None = Field(
        None, description="The person who writes, when the key is a tool's."
    )


class IncidentCreate(Request):
    """An incident that somebody opens by hand."""

    service_id: UUID
    title: Name
    priority: Priority
    description: Prose = Field("", description="Shown in pages.")
    labels: Labels = Field({}, description="Matchers find it by these; they route nothing.")
    key: ExternalId | None = Field(
        None,
        description="Your own name for the trouble. While an incident of this service and key is "
        "active, asking again answers that one and changes nothing.",
    )
    escalation_policy_id: UUID | None = Field(
        None, description="Instead of the service's; its team owns the incident."
    )
    assigned_user_id: UUID | None = Field(
        None, description="Page this person first; level 1 follows when they do not answer."
    )
    user_id: UUID | None = Field(None, description="The person who acts, when the key is a tool's.")
    reason: Prose | None = None


class VerbResult(Response):
    """The incident after the verb."""

    changed: bool = Field(description="False when it was already so.")
    incident: IncidentRead
