"""Tables: services, integrations, routing rules."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from incident_service.catalog.priority import Priority
from incident_service.core.audit import Audited, Part
from incident_service.core.db import Base, ClosedText, one_of


class Grouping(StrEnum):
    """Which alerts of a service share an incident."""

    ALERT = "alert"
    GROUP = "group"
    LABELS = "labels"


class IntegrationKind(StrEnum):
    """The protocol a sender speaks."""

    ALERTMANAGER = "alertmanager"


class Service(Base):
    """Something that breaks: where its alerts go, how they group, whom they page."""

    __tablename__ = "services"
    audited = Audited("service", team="team_id", falls=("maintenance_windows",))

    id: Mapped[UUID] = mapped_column(primary_key=True)
    team_id: Mapped[UUID] = mapped_column(ForeignKey("teams.id"), index=True)
    name: Mapped[str]
    description: Mapped[str]
    external_id: Mapped[str | None]
    escalation_policy_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("escalation_policies.id"), index=True, comment="NULL: the team's default"
    )
    grouping: Mapped[Grouping] = mapped_column(ClosedText(Grouping))
    grouping_labels: Mapped[list[str]] = mapped_column(JSONB, comment="for grouping labels")
    page_from: Mapped[Priority] = mapped_column(
        ClosedText(Priority), comment="below it an incident is quiet"
    )
    severity_map: Mapped[dict[str, str]] = mapped_column(
        JSONB, comment="lower-case severity text: priority; wins over the built-in map"
    )
    auto_resolve: Mapped[bool]
    reopen_window_minutes: Mapped[int]
    stale_after_minutes: Mapped[int | None] = mapped_column(comment="NULL: never")
    resolve_stale: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (
        Index("uq_services_name", "team_id", text("lower(name)"), unique=True),
        Index("uq_services_external_id", "external_id", unique=True),
        one_of("grouping", Grouping),
        one_of("page_from", Priority),
        CheckConstraint("reopen_window_minutes >= 0", name="reopen_window_positive"),
        CheckConstraint("stale_after_minutes > 0", name="stale_after_positive"),
        CheckConstraint(
            "NOT resolve_stale OR stale_after_minutes IS NOT NULL", name="stale_after_given"
        ),
        CheckConstraint(
            "grouping <> 'labels' OR jsonb_array_length(grouping_labels) > 0",
            name="grouping_labels_given",
        ),
    )


class Integration(Base):
    """A sender with its key. While a key is being rotated, the previous one is valid too."""

    __tablename__ = "integrations"
    audited = Audited(
        "integration",
        team=("service_id", "services"),
        parts=("routing_rules",),
        silent=frozenset({"last_heard_at", "rules_version"}),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    service_id: Mapped[UUID] = mapped_column(ForeignKey("services.id"), index=True)
    name: Mapped[str]
    kind: Mapped[IntegrationKind] = mapped_column(ClosedText(IntegrationKind))
    is_enabled: Mapped[bool]
    key_digest: Mapped[str] = mapped_column(comment="SHA-256, hexadecimal")
    key_hint: Mapped[str]
    rules_version: Mapped[int] = mapped_column(
        server_default=text("1"), comment="counts changes of its routing rules"
    )
    last_heard_at: Mapped[datetime | None] = mapped_column(comment="to the minute")
    previous_key_digest: Mapped[str | None]
    previous_key_expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (
        Index("uq_integrations_name", "service_id", text("lower(name)"), unique=True),
        Index("uq_integrations_key_digest", "key_digest", unique=True),
        Index("uq_integrations_previous_key_digest", "previous_key_digest", unique=True),
        one_of("kind", IntegrationKind),
    )


class RoutingRule(Base):
    """Sends the alerts that match to another service than the integration's own.

    `matchers` are texts in Alertmanager's syntax.
    """

    __tablename__ = "routing_rules"
    audited = Part(of="integrations", by="integration_id", order="position")

    id: Mapped[UUID] = mapped_column(primary_key=True)
    integration_id: Mapped[UUID] = mapped_column(ForeignKey("integrations.id", ondelete="CASCADE"))
    position: Mapped[int]
    matchers: Mapped[list[str]] = mapped_column(JSONB)
    service_id: Mapped[UUID] = mapped_column(ForeignKey("services.id"), index=True)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (
        Index("uq_routing_rules_position", "integration_id", "position", unique=True),
    )
