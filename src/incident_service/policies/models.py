"""Tables: escalation policies and their levels."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from incident_service.core.audit import Audited, Part
from incident_service.core.db import Base, ClosedText, one_of


class TargetType(StrEnum):
    """Who a level tells: one person, whoever a schedule has on call, or the whole team.

    A team's channel, such as a chat's, is told in addition to people.
    """

    USER = "user"
    SCHEDULE = "schedule"
    ENTIRE_TEAM = "entire_team"
    TEAM_CHANNEL = "team_channel"


OF_PEOPLE = (TargetType.USER, TargetType.SCHEDULE, TargetType.ENTIRE_TEAM)
"""What the first target of a level can be: a channel answers no page."""


class EscalationPolicy(Base):
    """Who is told, in which order, how often."""

    __tablename__ = "escalation_policies"
    audited = Audited("escalation_policy", team="team_id", parts=("escalation_levels",))

    id: Mapped[UUID] = mapped_column(primary_key=True)
    team_id: Mapped[UUID] = mapped_column(ForeignKey("teams.id"), index=True)
    name: Mapped[str]
    description: Mapped[str]
    is_default: Mapped[bool]
    repeat_count: Mapped[int] = mapped_column(comment="how many times the levels run in all")
    is_active: Mapped[bool]
    ack_timeout_minutes: Mapped[int | None] = mapped_column(comment="NULL: off")
    exhausted_reminder_minutes: Mapped[int | None] = mapped_column(comment="NULL: off")
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (
        Index("uq_escalation_policies_name", "team_id", text("lower(name)"), unique=True),
        Index("ix_escalation_policies_team_id_is_default", "team_id", "is_default"),
        Index(
            "uq_escalation_policies_default",
            "team_id",
            unique=True,
            postgresql_where=text("is_default"),
        ),
        CheckConstraint("repeat_count BETWEEN 1 AND 9", name="repeat_count_range"),
        CheckConstraint("ack_timeout_minutes >= 1", name="ack_timeout_positive"),
        CheckConstraint("exhausted_reminder_minutes >= 1", name="reminder_positive"),
    )


class EscalationLevel(Base):
    """One rung: whom it tells, and how long they have to answer."""

    __tablename__ = "escalation_levels"
    audited = Part(of="escalation_policies", by="escalation_policy_id", order="level_number")

    id: Mapped[UUID] = mapped_column(primary_key=True)
    escalation_policy_id: Mapped[UUID] = mapped_column(
        ForeignKey("escalation_policies.id", ondelete="CASCADE")
    )
    level_number: Mapped[int]
    target_type: Mapped[TargetType] = mapped_column(ClosedText(TargetType))
    target_id: Mapped[UUID | None] = mapped_column(comment="NULL for entire_team")
    additional_targets: Mapped[list[dict[str, Any]]] = mapped_column(
        JSONB, comment="[{target_type, target_id}]"
    )
    timeout_minutes: Mapped[int]
    created_at: Mapped[datetime]

    __table_args__ = (
        Index(
            "uq_escalation_levels_level_number", "escalation_policy_id", "level_number", unique=True
        ),
        one_of("target_type", OF_PEOPLE),
        CheckConstraint("level_number BETWEEN 1 AND 10", name="level_number_range"),
        CheckConstraint("(target_type = 'entire_team') = (target_id IS NULL)", name="target_given"),
        CheckConstraint(
            "timeout_minutes >= CASE target_type WHEN 'entire_team' THEN 3 ELSE 1 END",
            name="timeout_minimum",
        ),
    )
