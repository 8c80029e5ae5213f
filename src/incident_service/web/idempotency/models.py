"""The answers that were given under keys of the callers' choice."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from incident_service.core.tables import Base


class IdempotencyKey(Base):
    """One answered request.

    There is no foreign key to the API key: it would lock that row last, against the order of locks.
    """

    __tablename__ = "idempotency_keys"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    api_key_id: Mapped[UUID] = mapped_column(comment="who asked")
    key: Mapped[str] = mapped_column(comment="Idempotency-Key, as it was sent")
    request_digest: Mapped[str] = mapped_column(
        comment="HMAC-SHA256 of method, path and body by the caller's API key"
    )
    status: Mapped[int]
    headers: Mapped[dict[str, Any]] = mapped_column(JSONB)
    body: Mapped[str] = mapped_column(comment="sealed with the caller's API key")
    created_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("api_key_id", "key"),
        Index("ix_idempotency_keys_created_at", "created_at"),
    )
