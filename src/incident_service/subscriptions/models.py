"""Tables: who wants to hear of incident events, and what each is told."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from incident_service.core.audit import Audited
from incident_service.core.db import Base, ClosedText, Sealed, one_of

UNFINISHED = "status IN ('pending', 'sending')"


class DeliveryStatus(StrEnum):
    """`sending` holds a lease until `due_at`; `failed` is what the receiver will not have."""

    PENDING = "pending"
    SENDING = "sending"
    DELIVERED = "delivered"
    FAILED = "failed"


class WebhookSubscription(Base):
    """A receiver of the events of one team's incidents, or of every team's.

    (`read_xact`, `read_position`) is the last event that was made into a delivery or passed over;
    see `reading`. It stands still while the subscription is not enabled.
    """

    __tablename__ = "webhook_subscriptions"
    audited = Audited(
        "webhook_subscription",
        team="team_id",
        silent=frozenset({"failures", "failing_since", "read_xact", "read_position"}),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    team_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("teams.id", ondelete="CASCADE"), index=True, comment="NULL: every team"
    )
    name: Mapped[str]
    url: Mapped[str] = mapped_column(Sealed)
    kinds: Mapped[list[str]] = mapped_column(JSONB, comment="of events; empty: all")
    secret: Mapped[str] = mapped_column(Sealed, comment="Standard Webhooks, whsec_…")
    previous_secret: Mapped[str | None] = mapped_column(Sealed)
    previous_secret_expires_at: Mapped[datetime | None]
    is_enabled: Mapped[bool]
    paused_at: Mapped[datetime | None] = mapped_column(comment="disabled by the service itself")
    pause_reason: Mapped[str | None]
    failures: Mapped[int] = mapped_column(comment="failed attempts since the last success")
    failing_since: Mapped[datetime | None]
    read_xact: Mapped[int] = mapped_column(BigInteger)
    read_position: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class WebhookDelivery(Base):
    """One event for one subscription; its id is the `webhook-id` of every attempt.

    `incident_id` is not a foreign key: that would lock the incident of each event, for which the
    verbs and the ingest would wait. A ping has no incident.
    """

    __tablename__ = "webhook_deliveries"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    subscription_id: Mapped[UUID] = mapped_column(
        ForeignKey("webhook_subscriptions.id", ondelete="CASCADE")
    )
    incident_id: Mapped[UUID | None]
    event_position: Mapped[int | None] = mapped_column(BigInteger)
    sequence: Mapped[int] = mapped_column(comment="of the event, in its incident")
    kind: Mapped[str]
    body: Mapped[str] = mapped_column(comment="the JSON of every attempt")
    status: Mapped[DeliveryStatus] = mapped_column(ClosedText(DeliveryStatus))
    attempts: Mapped[int]
    due_at: Mapped[datetime] = mapped_column(comment="next attempt, or end of the lease")
    last_status: Mapped[int | None] = mapped_column(comment="HTTP; NULL: there was no answer")
    last_error: Mapped[str | None]
    trace_context: Mapped[str | None] = mapped_column(comment="that of the event")
    created_at: Mapped[datetime]
    delivered_at: Mapped[datetime | None]

    __table_args__ = (
        one_of("status", DeliveryStatus),
        Index("uq_webhook_deliveries_event", "subscription_id", "event_position", unique=True),
        Index("ix_webhook_deliveries_subscription_id_id", "subscription_id", "id"),
        Index(
            "ix_webhook_deliveries_due",
            "subscription_id",
            "due_at",
            postgresql_where=text(UNFINISHED),
        ),
        Index(
            "ix_webhook_deliveries_order",
            "subscription_id",
            "incident_id",
            "sequence",
            postgresql_where=text(UNFINISHED),
        ),
        Index("ix_webhook_deliveries_created_at", "created_at"),
    )
