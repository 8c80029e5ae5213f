"""API shapes of alerts. What senders post is read by the adapters; here it is only described."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from incident_service.alerts.models import AlertStatus
from incident_service.catalog.priority import Priority
from incident_service.web.fields import Response


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


class AlertPage(Response):
    """A page of alerts, oldest first."""

    items: list[AlertRead]
    next_cursor: str | None


class FoundAlertPage(Response):
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


class RejectedAlertPage(Response):
    """A page of alerts that could not be stored, newest first."""

    items: list[RejectedAlertRead]
    next_cursor: str | None


class Lenient(BaseModel):
    """A shape that is only described: the adapters read more than it says."""

    model_config = ConfigDict(extra="allow", alias_generator=to_camel)


class AlertmanagerAlert(Lenient):
    """One alert of a webhook. Members that are not listed are ignored."""

    status: str = Field("firing", description="`firing` or `resolved`.")
    labels: dict[str, str]
    annotations: dict[str, str] = Field(default_factory=dict)
    starts_at: datetime | None = Field(None, description="Left out: when it was received.")
    ends_at: datetime | None = Field(None, description="Year 1 while the alert fires.")
    generator_url: str = Field("", alias="generatorURL")
    fingerprint: str = Field("", description="Computed from the labels when missing.")


class AlertmanagerWebhook(Lenient):
    """Alertmanager's webhook, of any version. Members that are not listed are ignored."""

    version: str = Field("", examples=["4"])
    group_key: str = ""
    truncated_alerts: int = Field(0, ge=0, description="How many the sender left out.")
    status: str = Field("", description="`firing` or `resolved`.")
    receiver: str = ""
    group_labels: dict[str, str] = Field(default_factory=dict)
    common_labels: dict[str, str] = Field(default_factory=dict)
    common_annotations: dict[str, str] = Field(default_factory=dict)
    external_url: str = Field("", alias="externalURL")
    alerts: list[AlertmanagerAlert]


def json_body(name: str) -> dict[str, Any]:
    """Describe the body of a route that reads raw bytes by the name of a schema, for OpenAPI."""
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
    return {"requestBody": {"required": True, "content": content}}
