"""Table: the timers of the climb."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from incident_service.core.db import Base, ClosedText, one_of

PENDING = "NOT completed AND cancelled_at IS NULL"


class TimerKind(StrEnum):
    """What an incident waits for."""

    STEP = "step"
    ACK_TIMEOUT = "ack_timeout"
    SNOOZE_END = "snooze_end"
    MAINTENANCE_END = "maintenance_end"
    RECHECK = "recheck"
    REMINDER = "reminder"


class EscalationJob(Base):
    """One timer of an incident: pending, executed, or cancelled.

    For a step, (`epoch`, `scheduled_repeat`, `scheduled_level`) is the page it stands for; one
    level above the plan's last is the exhaustion. Other kinds carry the position they found.
    """

    __tablename__ = "escalation_jobs"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    incident_id: Mapped[UUID] = mapped_column(ForeignKey("incidents.id", ondelete="CASCADE"))
    kind: Mapped[TimerKind] = mapped_column(ClosedText(TimerKind))
    arq_job_id: Mapped[str] = mapped_column(comment="the row's own id: never used twice")
    epoch: Mapped[int]
    scheduled_repeat: Mapped[int]
    scheduled_level: Mapped[int]
    scheduled_for: Mapped[datetime]
    completed: Mapped[bool]
    outcome: Mapped[str | None] = mapped_column(comment="paged, skipped, exhausted, …")
    cancelled_at: Mapped[datetime | None]
    executed_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    __table_args__ = (
        Index("uq_escalation_jobs_arq_job_id", "arq_job_id", unique=True),
        Index("ix_escalation_jobs_incident_id_completed", "incident_id", "completed"),
        Index("ix_escalation_jobs_due", "scheduled_for", postgresql_where=text(PENDING)),
        Index(
            "uq_escalation_jobs_pending",
            "incident_id",
            unique=True,
            postgresql_where=text(PENDING),
        ),
        Index(
            "uq_escalation_jobs_step",
            "incident_id",
            "epoch",
            "scheduled_repeat",
            "scheduled_level",
            unique=True,
            postgresql_where=text("kind = 'step' AND cancelled_at IS NULL"),
        ),
        one_of("kind", TimerKind),
        CheckConstraint("completed = (executed_at IS NOT NULL)", name="completed_when_executed"),
        CheckConstraint(
            "executed_at IS NULL OR cancelled_at IS NULL", name="never_executed_and_cancelled"
        ),
        {"postgresql_with": {"fillfactor": "80"}},
    )
