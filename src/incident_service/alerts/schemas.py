"""API shapes of alerts. What senders post is read by the adapters; here it is only described."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from incident_service.alerts.models import AlertStatus
from incident_service.catalog.priority import Priority
from incident_service.core.fields import Response


class AlertOutcome(Response):
    """What became of one alert."""

    fingerprint: str
    outcome: str = Field(
        description="An open set: opened, joined, reopened, resolved, repeated, superseded, held, "
        "stale, ignored, suppressed, …"
    )
    incident_id: UUID | None


class AlertRejection(Response):
    """Why one alert was not stored. Its neighbours were."""

    index: int = Field(description="The alert's place in the payload, from 0.")
    code: str
    message: str


class IngestResult(Response):
    """What became of a webhook. It is stored when this is sent."""

    accepted: int
    rejected: int
    results: list[AlertOutcome] = Field(description="One for each accepted alert, in order.")
    errors: list[AlertRejection] = Field(description="The first rejected alerts, at most ten.")


class AlertRead(Response):
    """One time that an alert fired, from its start until its end."""

    id: UUID
    incident_id: UUID | None
    integration_id: UUID
    service_id: UUID
    fingerprint: str = Field(description="The sender's.")
    status: AlertStatus
    starts_at: datetime
    starts_at_estimated: bool = Field(description="True: the sender gave no usable start.")
    ends_at: datetime | None
    title: str
    labels: dict[str, str]
    annotations: dict[str, str]
    severity: str | None = Field(description="As the sender wrote it.")
    priority: Priority
    generator_url: str
    received_count: int = Field(description="How often it was sent.")
    first_received_at: datetime
    last_received_at: datetime
    refire_at: datetime | None = Field(
        description="Held: it fires again at this instant unless it is resolved once more."
    )
    stale_at: datetime | None = Field(
        description="Since when it is stale: it was not sent again within its service's "
        "stale_after_minutes."
    )


class AlertPage(BaseModel):
    """A page of alerts, oldest first."""

    items: list[AlertRead]
    next_cursor: str | None


class FoundAlertPage(BaseModel):
    """A page of alerts of any incident, newest first."""

    items: list[AlertRead]
    next_cursor: str | None


class RejectedAlertRead(Response):
    """An alert that could not be stored."""

    id: UUID
    integration_id: UUID
    received_at: datetime
    position: int = Field(description="Its place in its webhook, from 0.")
    code: str = Field(description="An open set: no_identity, not_an_object, …")
    message: str
    content: str = Field(description="The beginning of its JSON, at most 4,096 characters.")


class RejectedAlertPage(BaseModel):
    """A page of alerts that could not be stored, newest first."""

    items: list[RejectedAlertRead]
    next_cursor: str | None


TEXTS: dict[str, Any] = {"type": "object", "additionalProperties": {"type": "string"}}
STATUS: dict[str, Any] = {"type": "string", "examples": ["firing", "resolved"]}
INSTANT: dict[str, Any] = {"type": "string", "format": "date-time"}

ALERTMANAGER_ALERT: dict[str, Any] = {
    "type": "object",
    "required": ["labels"],
    "properties": {
        "status": STATUS,
        "labels": TEXTS,
        "annotations": TEXTS,
        "startsAt": INSTANT,
        "endsAt": {**INSTANT, "description": "Year 1 while the alert fires."},
        "generatorURL": {"type": "string"},
        "fingerprint": {"type": "string", "description": "Computed from the labels when missing."},
    },
}

ALERTMANAGER_WEBHOOK: dict[str, Any] = {
    "type": "object",
    "description": "Alertmanager's webhook, of any version. Fields not listed are ignored.",
    "required": ["alerts"],
    "properties": {
        "version": {"type": "string", "examples": ["4"]},
        "groupKey": {"type": "string"},
        "truncatedAlerts": {"type": "integer", "minimum": 0},
        "status": STATUS,
        "receiver": {"type": "string"},
        "groupLabels": TEXTS,
        "commonLabels": TEXTS,
        "commonAnnotations": TEXTS,
        "externalURL": {"type": "string"},
        "alerts": {"type": "array", "items": ALERTMANAGER_ALERT},
    },
}


def json_body(schema: dict[str, Any]) -> dict[str, Any]:
    """Describe the body of a route that reads raw bytes, for OpenAPI."""
    content = {"application/json": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}
