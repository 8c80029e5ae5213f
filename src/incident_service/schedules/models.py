"""Tables: schedules, their layers with participants, and overrides."""

from datetime import datetime, time
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from incident_service.core.audit import Audited, Part
from incident_service.core.db import Base, ClosedText, one_of
from incident_service.schedules.rotation import ShiftUnit


class Schedule(Base):
    """Who is on call when, in one time zone."""

    __tablename__ = "schedules"
    audited = Audited(
        "schedule",
        team="team_id",
        parts=("schedule_layers", "schedule_participants"),
        falls=("schedule_overrides",),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    team_id: Mapped[UUID] = mapped_column(ForeignKey("teams.id"), index=True)
    name: Mapped[str]
    description: Mapped[str]
    time_zone: Mapped[str] = mapped_column(comment="IANA, such as Europe/Berlin")
    feed_digest: Mapped[str | None] = mapped_column(
        comment="SHA-256, hexadecimal, of the calendar feed's key; NULL: no feed"
    )
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (Index("uq_schedules_name", "team_id", text("lower(name)"), unique=True),)


class ScheduleLayer(Base):
    """A rotation; one with a higher position covers those below it."""

    __tablename__ = "schedule_layers"
    audited = Part(of="schedules", by="schedule_id", order="position")

    id: Mapped[UUID] = mapped_column(primary_key=True)
    schedule_id: Mapped[UUID] = mapped_column(ForeignKey("schedules.id", ondelete="CASCADE"))
    position: Mapped[int]
    name: Mapped[str]
    unit: Mapped[ShiftUnit] = mapped_column(ClosedText(ShiftUnit))
    every: Mapped[int]
    handoff_time: Mapped[time]
    handoff_weekday: Mapped[int | None] = mapped_column(comment="0 is Monday; NULL unless weekly")
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]
    first: Mapped[int] = mapped_column(comment="the participant, from 0, who has shift number 0")
    restrictions: Mapped[list[dict[str, Any]]] = mapped_column(
        JSONB, comment="[{weekdays, from_time, to_time}]"
    )
    created_at: Mapped[datetime]

    __table_args__ = (
        Index("uq_schedule_layers_position", "schedule_id", "position", unique=True),
        one_of("unit", ShiftUnit),
        CheckConstraint("every >= 1", name="every_positive"),
        CheckConstraint("handoff_weekday BETWEEN 0 AND 6", name="weekday_range"),
        CheckConstraint("(unit = 'week') = (handoff_weekday IS NOT NULL)", name="weekday_given"),
        CheckConstraint("ends_at > starts_at", name="ends_later"),
    )


class ScheduleParticipant(Base):
    """Somebody who takes turns in a layer, in the order of `position`."""

    __tablename__ = "schedule_participants"
    audited = Part(of="schedules", by="layer_id", order="position", through="schedule_layers")

    layer_id: Mapped[UUID] = mapped_column(
        ForeignKey("schedule_layers.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)

    __table_args__ = (
        Index("uq_schedule_participants_user_id", "layer_id", "user_id", unique=True),
    )


class ScheduleOverride(Base):
    """Somebody who stands in for whoever the layers say; two of one schedule never overlap."""

    __tablename__ = "schedule_overrides"
    audited = Audited("schedule_override", team=("schedule_id", "schedules"))

    id: Mapped[UUID] = mapped_column(primary_key=True)
    schedule_id: Mapped[UUID] = mapped_column(ForeignKey("schedules.id", ondelete="CASCADE"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    created_at: Mapped[datetime]

    __table_args__ = (
        Index("ix_schedule_overrides_schedule_id_ends_at", "schedule_id", "ends_at"),
        CheckConstraint("ends_at > starts_at", name="ends_later"),
    )
