"""Tables: notifications, the pages they are bundled into, the attempts to send those."""

from datetime import datetime, time
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from incident_service.catalog.priority import Priority
from incident_service.core.audit import Audited, Part
from incident_service.core.db import Base, ClosedText, one_of
from incident_service.teams.models import Channel


class NotificationStatus(StrEnum):
    """`sending`: it is part of a page that is not yet through."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    CANCELLED = "cancelled"


class NotificationKind(StrEnum):
    """`page` asks for an answer and dies with the climb; `update` informs who has it already."""

    PAGE = "page"
    UPDATE = "update"


class CancelReason(StrEnum):
    """Why it was taken back before it was sent.

    `superseded`: the climb began anew or went on, or the news is no longer true. `replanned`: the
    person's rules were changed. `inactive`: the person was made so.
    """

    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    SNOOZED = "snoozed"
    MAINTENANCE = "maintenance"
    SUPERSEDED = "superseded"
    REPLANNED = "replanned"
    INACTIVE = "inactive"


class PageStatus(StrEnum):
    """`sending` holds a lease; `waiting` is between two attempts."""

    SENDING = "sending"
    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Notification(Base):
    """One person told about one incident at one address."""

    __tablename__ = "notifications"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    incident_id: Mapped[UUID] = mapped_column(ForeignKey("incidents.id", ondelete="CASCADE"))
    escalation_job_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("escalation_jobs.id", ondelete="CASCADE")
    )
    epoch: Mapped[int]
    user_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), index=True
    )
    contact_method_id: Mapped[UUID] = mapped_column(
        ForeignKey("contact_methods.id", ondelete="CASCADE")
    )
    kind: Mapped[NotificationKind] = mapped_column(ClosedText(NotificationKind))
    reason: Mapped[str]
    level: Mapped[int]
    repeat: Mapped[int]
    due_at: Mapped[datetime]
    status: Mapped[NotificationStatus] = mapped_column(ClosedText(NotificationStatus))
    cancelled_because: Mapped[CancelReason | None] = mapped_column(ClosedText(CancelReason))
    page_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("pages.id", ondelete="SET NULL"), index=True
    )
    trace_context: Mapped[str | None] = mapped_column(comment="of what has asked for it")
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (
        Index(
            "uq_notifications_recipient",
            "escalation_job_id",
            "user_id",
            "contact_method_id",
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where=text("escalation_job_id IS NOT NULL"),
        ),
        Index("ix_notifications_incident_id", "incident_id"),
        Index(
            "ix_notifications_due",
            "contact_method_id",
            "due_at",
            postgresql_where=text("status = 'pending'"),
        ),
        one_of("kind", NotificationKind),
        one_of("status", NotificationStatus),
        one_of("cancelled_because", CancelReason),
        {"postgresql_with": {"fillfactor": "80"}},
    )


class NotificationRule(Base):
    """When a person is told at an address about incidents of a priority."""

    __tablename__ = "notification_rules"
    audited = Part(of="quiet_hours", by="user_id", order="delay_minutes")

    user_id: Mapped[UUID] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    priority: Mapped[Priority] = mapped_column(ClosedText(Priority), primary_key=True)
    contact_method_id: Mapped[UUID] = mapped_column(
        ForeignKey("contact_methods.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    delay_minutes: Mapped[int] = mapped_column(comment="from the beginning of the level")

    __table_args__ = (
        one_of("priority", Priority),
        CheckConstraint("delay_minutes >= 0", name="delay_positive"),
    )


class QuietHours(Base):
    """When a person is not told about what is neither critical nor high, in the person's zone."""

    __tablename__ = "quiet_hours"
    audited = Audited("notification_rules", parts=("notification_rules",))

    user_id: Mapped[UUID] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    from_time: Mapped[time]
    to_time: Mapped[time] = mapped_column(comment="on the next day, unless later than from_time")

    __table_args__ = (CheckConstraint("from_time <> to_time", name="some_time"),)


class Page(Base):
    """One message to one address: one idempotency key (its id) for all attempts.

    Its members are the notifications that point to it; none joins after the claim.
    """

    __tablename__ = "pages"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), index=True
    )
    contact_method_id: Mapped[UUID] = mapped_column(
        ForeignKey("contact_methods.id", ondelete="CASCADE")
    )
    channel: Mapped[Channel] = mapped_column(ClosedText(Channel))
    priority: Mapped[Priority] = mapped_column(ClosedText(Priority), comment="highest member's")
    status: Mapped[PageStatus] = mapped_column(ClosedText(PageStatus))
    attempts: Mapped[int]
    next_attempt_at: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    last_error: Mapped[str | None]
    note: Mapped[str | None] = mapped_column(comment="what it says instead of its members")
    trace_context: Mapped[str | None] = mapped_column(comment="that of its first member")

    __table_args__ = (
        Index("ix_pages_contact_method_id_created_at", "contact_method_id", "created_at"),
        Index(
            "ix_pages_unfinished",
            "status",
            "next_attempt_at",
            "lease_until",
            postgresql_where=text("status IN ('sending', 'waiting')"),
        ),
        Index("ix_pages_notes", "created_at", postgresql_where=text("note IS NOT NULL")),
        one_of("channel", Channel),
        one_of("priority", Priority),
        one_of("status", PageStatus),
    )


class PageAttempt(Base):
    """One try to hand a page to its channel."""

    __tablename__ = "page_attempts"

    page_id: Mapped[UUID] = mapped_column(
        ForeignKey("pages.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None] = mapped_column(comment="NULL: its outcome is unknown")
    delivered: Mapped[bool | None]
    detail: Mapped[str | None] = mapped_column(comment="the channel's answer, or the error")
    provider_status: Mapped[str | None] = mapped_column(
        comment="what the provider has reported since; it moves forwards only"
    )
    provider_status_at: Mapped[datetime | None]
    provider_error: Mapped[str | None] = mapped_column(comment="the provider's number of a failure")
