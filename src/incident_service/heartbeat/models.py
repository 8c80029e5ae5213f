"""Table: canaries."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from incident_service.core.db import Base


class Canary(Base):
    """A row that goes the way of a page, one a minute, and is never shown to people.

    Committed, stepped, claimed, recorded: each is a transaction of its own. A recorded canary is
    good for one call of the dead-man's switch; `called_at` says that it was used.
    """

    __tablename__ = "canaries"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    due_at: Mapped[datetime] = mapped_column(comment="a full minute: one canary each")
    created_at: Mapped[datetime]
    stepped_at: Mapped[datetime | None]
    claimed_at: Mapped[datetime | None]
    recorded_at: Mapped[datetime | None]
    called_at: Mapped[datetime | None]

    __table_args__ = (Index("uq_canaries_due_at", "due_at", unique=True),)
