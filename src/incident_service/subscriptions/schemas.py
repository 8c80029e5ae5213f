"""What the API takes and shows of webhook subscriptions."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, field_serializer

from incident_service.incidents.timeline import EventKind
from incident_service.subscriptions.models import DeliveryStatus
from incident_service.teams.addresses import masked
from incident_service.teams.models import Channel
from incident_service.teams.schemas import Masked
from incident_service.web.fields import (
    Flag,
    Name,
    Patch,
    Request,
    Response,
    Text,
    Whole,
    open_words,
)
from incident_service.web.resources import Resource

MONTH = 31 * 24 * 60

Url = Annotated[
    Text,
    Field(
        description="http or https. Private networks have to be named in "
        "INCIDENT_SERVICE_OUTBOUND_ALLOW."
    ),
]
ANY_KIND = "Only events of these kinds; empty: all."
Kinds = Annotated[list[EventKind], Field(max_length=100, description=ANY_KIND)]
OpenKinds = Annotated[
    list[Annotated[EventKind, open_words(EventKind)]], Field(max_length=100, description=ANY_KIND)
]


class SubscriptionCreate(Request):
    """A new receiver of incident events."""

    team_id: UUID | None = Field(
        None, description="Whose incidents; null: every team's, by a key that is not limited."
    )
    name: Name
    url: Url
    kinds: OpenKinds = Field(default_factory=list)


class SubscriptionUpdate(Patch):
    """Changes of a subscription; its team stays."""

    name: Name | None = None
    url: Url | None = None
    kinds: OpenKinds | None = None
    is_enabled: Flag | None = Field(
        None, description="true goes on where it stopped, with every event since."
    )


class SecretRotation(Request):
    """How to give a subscription a new secret."""

    keep_previous_minutes: Whole = Field(
        1440, ge=0, le=MONTH, description="How long the present secret signs beside the new one."
    )


class SubscriptionRead(Resource):
    """A receiver of incident events."""

    noted = frozenset({"paused_at", "pause_reason", "failures", "failing_since"})

    id: UUID
    team_id: UUID | None
    name: str
    url: Masked
    kinds: list[str]
    is_enabled: bool
    paused_at: datetime | None = Field(description="When the service gave up on the receiver.")
    pause_reason: str | None
    failures: int = Field(description="Failed attempts since the last success.")
    failing_since: datetime | None
    previous_secret_expires_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @field_serializer("url")
    def _mask(self, url: str) -> str:
        return masked(Channel.WEBHOOK, url)


class SubscriptionWithSecret(SubscriptionRead):
    """A subscription together with its secret, which is shown this one time."""

    told_once = frozenset({"secret"})

    secret: str = Field(description="Checks the signatures (Standard Webhooks).")


class SubscriptionPage(Response):
    """A page of subscriptions, oldest first."""

    items: list[SubscriptionRead]
    next_cursor: str | None


class DeliveryRead(Response):
    """An event on its way to a receiver, or there."""

    id: UUID = Field(description="The `webhook-id` of every attempt.")
    subscription_id: UUID
    incident_id: UUID | None = Field(description="null: a ping.")
    sequence: int = Field(description="Of the event, in its incident's timeline.")
    kind: str = Field(description="`ping`, or the kind of the event, as in the timeline.")
    status: DeliveryStatus
    attempts: int
    due_at: datetime = Field(
        description="pending: the next attempt, when those before it are through; sending: when "
        "another worker takes it up, if this one has died."
    )
    last_status: int | None = Field(description="The last answer's HTTP status.")
    last_error: str | None
    created_at: datetime
    delivered_at: datetime | None


class DeliveryPage(Response):
    """A page of deliveries, newest first."""

    items: list[DeliveryRead]
    next_cursor: str | None
