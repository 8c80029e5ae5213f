"""Table: maintenance windows."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from incident_service.core.audit import Audited
from incident_service.core.db import Base


class MaintenanceWindow(Base):
    """A time in which a team's services, or one of them, page nobody by themselves.

    It covers the incidents all of whose `matchers` hold; without any, all of them. It is over at
    `ends_at`, or at `ended_at` when somebody ended it early.
    """

    __tablename__ = "maintenance_windows"
    audited = Audited("maintenance_window", team="team_id", silent=frozenset({"settle_until"}))

    id: Mapped[UUID] = mapped_column(primary_key=True)
    team_id: Mapped[UUID] = mapped_column(ForeignKey("teams.id", ondelete="CASCADE"))
    service_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("services.id", ondelete="CASCADE"),
        index=True,
        comment="NULL: all of the team's services",
    )
    matchers: Mapped[list[str]] = mapped_column(JSONB, comment="of the incident's labels")
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    reason: Mapped[str]
    created_by: Mapped[dict[str, Any]] = mapped_column(JSONB, comment="{type, id, name}")
    settle_until: Mapped[datetime | None] = mapped_column(
        comment="until then workers look for incidents that missed its start or its last change"
    )
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (
        Index("ix_maintenance_windows_team_id_id", "team_id", "id"),
        Index(
            "ix_maintenance_windows_ends_at",
            "ends_at",
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index(
            "ix_maintenance_windows_unsettled",
            "starts_at",
            postgresql_where=text("settle_until IS NOT NULL"),
        ),
        CheckConstraint("ends_at > starts_at", name="ends_later"),
        CheckConstraint("ends_at <= starts_at + interval '30 days'", name="not_too_long"),
        CheckConstraint("ended_at >= starts_at", name="ended_after_start"),
    )

    @property
    def over_at(self) -> datetime:
        """The instant at which it is over."""
        return self.ended_at or self.ends_at

    def has_begun(self, now: datetime) -> bool:
        """Say whether it has begun; it may be over as well."""
        return self.starts_at <= now

    def is_over(self, now: datetime) -> bool:
        """Say whether it is over."""
        return self.over_at <= now
