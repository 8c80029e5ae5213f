"""Tables: incidents and their timeline."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Sequence,
    Text,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from incident_service.catalog.priority import Priority
from incident_service.catalog.text_search import SEARCHED
from incident_service.core.db import Base, ClosedText, one_of
from incident_service.incidents.lifecycle import Status

ACTIVE = "status IN ('OPEN', 'ACKNOWLEDGED')"
# The index of the most urgent first holds exactly this expression, and is used for no other.
URGENCY = (
    "(array_position(ARRAY['OPEN', 'ACKNOWLEDGED', 'RESOLVED', 'CLOSED'], status) * 10 + "
    "array_position(ARRAY['critical', 'high', 'medium', 'low', 'info'], priority))"
)
SPAN_INCLUDES = [
    "team_id",
    "service_id",
    "fingerprint",
    "status",
    "priority",
    "is_quiet",
    "resolved_at",
]
INCIDENT_NUMBER = Sequence("incident_number", metadata=Base.metadata)


class Incident(Base):
    """A problem that somebody has to look at.

    The climb's position is (`escalation_epoch`, `current_repeat`, `current_level`); level 0 means
    that no level ran yet. `escalation_plan` is the copy of the policy that the climb follows.
    """

    __tablename__ = "incidents"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(
        BigInteger, INCIDENT_NUMBER, server_default=INCIDENT_NUMBER.next_value()
    )
    fingerprint: Mapped[str] = mapped_column(comment="deduplication key within the service")
    service_id: Mapped[UUID] = mapped_column(ForeignKey("services.id"))
    team_id: Mapped[UUID] = mapped_column(ForeignKey("teams.id"))
    escalation_policy_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("escalation_policies.id", ondelete="SET NULL"), index=True
    )
    escalation_plan: Mapped[dict[str, Any]] = mapped_column(JSONB)
    escalation_epoch: Mapped[int]
    current_level: Mapped[int]
    current_repeat: Mapped[int]
    assigned_user_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("users.id", ondelete="SET NULL")
    )
    status: Mapped[Status] = mapped_column(ClosedText(Status))
    priority: Mapped[Priority] = mapped_column(ClosedText(Priority))
    acknowledged_priority: Mapped[Priority | None] = mapped_column(ClosedText(Priority))
    is_quiet: Mapped[bool] = mapped_column(comment="below its service's page_from")
    title: Mapped[str]
    labels: Mapped[dict[str, str]] = mapped_column(JSONB)
    annotations: Mapped[dict[str, str]] = mapped_column(JSONB)
    alert_count: Mapped[int]
    firing_count: Mapped[int]
    flap_count: Mapped[int]
    created_at: Mapped[datetime]
    acknowledged_at: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    last_escalated_at: Mapped[datetime | None]
    exhausted_at: Mapped[datetime | None]
    snoozed_until: Mapped[datetime | None]
    maintenance_window_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("maintenance_windows.id"), comment="what holds its climb"
    )
    assignee_told_at: Mapped[datetime | None]
    resolved_by: Mapped[str | None] = mapped_column(Text, comment="alerts, or the actor")
    resolved_until_clear: Mapped[bool]
    previous_incident_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("incidents.id", ondelete="SET NULL"), index=True
    )
    event_count: Mapped[int] = mapped_column(comment="the last sequence of its timeline")
    version: Mapped[int]

    __table_args__ = (
        Index("uq_incidents_number", "number", unique=True),
        Index("ix_incidents_team_id_status", "team_id", "status"),
        Index("ix_incidents_fingerprint_status_created_at", "fingerprint", "status", "created_at"),
        Index("ix_incidents_assigned_user_id_status", "assigned_user_id", "status"),
        Index("ix_incidents_status_created_at", "status", "created_at"),
        Index("ix_incidents_service_id_fingerprint", "service_id", "fingerprint", "created_at"),
        Index(
            "uq_incidents_active",
            "service_id",
            "fingerprint",
            unique=True,
            postgresql_where=text(ACTIVE),
        ),
        # Analytics count by what it holds and never see the rows, which are ten times as wide.
        # All that may change of it is in other indexes too, so no update costs more.
        Index("ix_incidents_span", "created_at", "id", postgresql_include=SPAN_INCLUDES),
        Index("ix_incidents_urgency", text(URGENCY), "created_at", "id"),
        Index("ix_incidents_team_id_created_at", "team_id", "created_at"),
        Index("ix_incidents_service_id_created_at", "service_id", "created_at"),
        Index("ix_incidents_priority_created_at", "priority", "created_at"),
        Index(
            "ix_incidents_assigned_user_id_created_at",
            "assigned_user_id",
            "created_at",
            postgresql_where=text("assigned_user_id IS NOT NULL"),
        ),
        Index(
            "ix_incidents_maintenance_window_id",
            "maintenance_window_id",
            postgresql_where=text("maintenance_window_id IS NOT NULL"),
        ),
        Index("ix_incidents_quiet", "created_at", postgresql_where=text("is_quiet")),
        Index(
            "ix_incidents_exhausted",
            "created_at",
            postgresql_where=text("exhausted_at IS NOT NULL"),
        ),
        Index(
            "ix_incidents_labels",
            "labels",
            postgresql_using="gin",
            postgresql_ops={"labels": "jsonb_path_ops"},
        ),
        Index(
            "ix_incidents_text",
            literal_column(SEARCHED).label("searched"),
            postgresql_using="gin",
            postgresql_ops={"searched": "gin_trgm_ops"},
        ),
        one_of("status", Status),
        one_of("priority", Priority),
        one_of("acknowledged_priority", Priority),
        CheckConstraint("alert_count >= 0 AND firing_count >= 0", name="counts_positive"),
        {"postgresql_with": {"fillfactor": "80"}},
    )

    def forget_acknowledge(self) -> None:
        """Nobody has it any more."""
        self.assigned_user_id = None
        self.acknowledged_at = None
        self.acknowledged_priority = None
        self.assignee_told_at = None


class IncidentRelation(Base):
    """A link between two incidents that have to do with each other; the lesser id comes first."""

    __tablename__ = "incident_relations"

    first_id: Mapped[UUID] = mapped_column(
        ForeignKey("incidents.id", ondelete="CASCADE"), primary_key=True
    )
    second_id: Mapped[UUID] = mapped_column(
        ForeignKey("incidents.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    created_at: Mapped[datetime]

    __table_args__ = (CheckConstraint("first_id < second_id", name="in_order"),)


class IncidentEvent(Base):
    """One change of an incident: what, by whom, why.

    `sequence` is gap-free in an incident. `position` and `xact` let a reader follow all commits:
    a row is final once no older transaction is running (see `subscriptions.reading`).
    """

    __tablename__ = "incident_events"

    position: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    incident_id: Mapped[UUID] = mapped_column(ForeignKey("incidents.id", ondelete="CASCADE"))
    sequence: Mapped[int]
    xact: Mapped[int] = mapped_column(
        BigInteger, server_default=text("(pg_current_xact_id()::text)::bigint")
    )
    kind: Mapped[str]
    actor: Mapped[dict[str, Any]] = mapped_column(JSONB, comment="{type, id, name}")
    reason: Mapped[str | None]
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    trace_context: Mapped[str | None] = mapped_column(comment="of what has changed it")
    at: Mapped[datetime]

    __table_args__ = (
        Index("uq_incident_events_sequence", "incident_id", "sequence", unique=True),
        Index("ix_incident_events_xact_position", "xact", "position"),
        Index(
            "ix_incident_events_acknowledged",
            "incident_id",
            "at",
            postgresql_where=text("kind = 'acknowledged'"),
        ),
    )
