"""Table: alerts, one row an episode."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, literal_column, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from incident_service.catalog.priority import Priority
from incident_service.catalog.text_search import SEARCHED
from incident_service.core.db import Base, ClosedText, one_of

# The index of the most urgent first holds exactly this expression, and is used for no other.
URGENCY = (
    "(array_position(ARRAY['firing', 'resolved'], status) * 10 + "
    "array_position(ARRAY['critical', 'high', 'medium', 'low', 'info'], priority))"
)


class AlertStatus(StrEnum):
    """What the sender last said of the episode."""

    FIRING = "firing"
    RESOLVED = "resolved"


class RejectedAlert(Base):
    """An alert that could not be stored, so that somebody can see what its sender does."""

    __tablename__ = "rejected_alerts"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    integration_id: Mapped[UUID] = mapped_column(ForeignKey("integrations.id", ondelete="CASCADE"))
    received_at: Mapped[datetime]
    position: Mapped[int] = mapped_column(comment="in its webhook, from 0")
    code: Mapped[str]
    message: Mapped[str]
    content: Mapped[str] = mapped_column(comment="its JSON, cut")

    __table_args__ = (
        Index("ix_rejected_alerts_integration_id", "integration_id", "id"),
        Index("ix_rejected_alerts_received_at", "received_at"),
    )


class Alert(Base):
    """One episode of an alert: from its start until its end.

    `starts_at` and `ends_at` are the sender's; the other instants are ours. `fired_at` is NULL
    when only a resolve was seen. A resolved episode with `refire_at` fires again at that instant
    unless another resolve comes first. A firing one with `stale_at` was not repeated for as long as
    its service allows.
    """

    __tablename__ = "alerts"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    incident_id: Mapped[UUID | None] = mapped_column(
        # Deferred: a new episode is stored before the incident that it opens.
        ForeignKey("incidents.id", ondelete="SET NULL", deferrable=True, initially="DEFERRED"),
        index=True,
    )
    integration_id: Mapped[UUID] = mapped_column(ForeignKey("integrations.id"))
    service_id: Mapped[UUID] = mapped_column(ForeignKey("services.id"))
    fingerprint: Mapped[str] = mapped_column(comment="the sender's")
    incident_fingerprint: Mapped[str] = mapped_column(comment="the incident's key it folds under")
    status: Mapped[AlertStatus] = mapped_column(ClosedText(AlertStatus))
    starts_at: Mapped[datetime]
    starts_at_estimated: Mapped[bool]
    ends_at: Mapped[datetime | None]
    labels: Mapped[dict[str, str]] = mapped_column(JSONB)
    annotations: Mapped[dict[str, str]] = mapped_column(JSONB)
    title: Mapped[str]
    severity: Mapped[str | None] = mapped_column(comment="the sender's text")
    priority: Mapped[Priority] = mapped_column(ClosedText(Priority))
    generator_url: Mapped[str]
    received_count: Mapped[int]
    first_received_at: Mapped[datetime]
    last_received_at: Mapped[datetime]
    fired_at: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None] = mapped_column(comment="when its end was stored")
    refire_at: Mapped[datetime | None]
    stale_at: Mapped[datetime | None]

    __table_args__ = (
        Index("uq_alerts_episode", "integration_id", "fingerprint", "starts_at", unique=True),
        Index(
            "uq_alerts_firing",
            "integration_id",
            "fingerprint",
            unique=True,
            postgresql_where=text("status = 'firing'"),
        ),
        Index("ix_alerts_refire", "refire_at", postgresql_where=text("refire_at IS NOT NULL")),
        Index(
            "ix_alerts_firing_service_id", "service_id", postgresql_where=text("status = 'firing'")
        ),
        Index("ix_alerts_first_received_at", "first_received_at", "id"),
        Index("ix_alerts_service_id_first_received_at", "service_id", "first_received_at"),
        Index("ix_alerts_integration_id_first_received_at", "integration_id", "first_received_at"),
        Index("ix_alerts_fingerprint_first_received_at", "fingerprint", "first_received_at"),
        Index("ix_alerts_priority_first_received_at", "priority", "first_received_at"),
        Index("ix_alerts_firing", "first_received_at", postgresql_where=text("status = 'firing'")),
        Index(
            "ix_alerts_without_incident",
            "first_received_at",
            postgresql_where=text("incident_id IS NULL"),
        ),
        Index(
            "ix_alerts_labels",
            "labels",
            postgresql_using="gin",
            postgresql_ops={"labels": "jsonb_path_ops"},
        ),
        Index("ix_alerts_urgency", text(URGENCY), "first_received_at", "id"),
        Index(
            "ix_alerts_text",
            literal_column(SEARCHED).label("searched"),
            postgresql_using="gin",
            postgresql_ops={"searched": "gin_trgm_ops"},
        ),
        one_of("status", AlertStatus),
        one_of("priority", Priority),
        CheckConstraint("refire_at IS NULL OR status = 'resolved'", name="refire_when_resolved"),
        {"postgresql_with": {"fillfactor": "80"}},
    )
