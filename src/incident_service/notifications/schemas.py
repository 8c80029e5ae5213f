"""What the API shows of notifications."""

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, Field

from incident_service.core.fields import Response
from incident_service.notifications.models import NotificationKind, NotificationStatus
from incident_service.notifications.queries import Told
from incident_service.teams.models import Channel


class NotificationRead(Response):
    """One person told about an incident at one address, and how that went."""

    id: UUID
    incident_id: UUID
    user_id: UUID | None = Field(description="Null: the installation's fallback contact.")
    contact_method_id: UUID
    channel: Channel
    kind: NotificationKind = Field(description="A page asks for an answer; an update informs.")
    reason: str
    level: int
    repeat: int
    due_at: datetime
    status: NotificationStatus
    page_id: UUID | None = Field(
        description="The message that carried it, as receivers know it; null: none yet."
    )
    attempts: int = Field(description="How often its page was sent, or tried.")
    last_error: str | None
    sent_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, told: Told) -> Self:
        """Show a notification together with its page."""
        row, page = told.notification, told.page
        return cls(
            id=row.id,
            incident_id=row.incident_id,
            user_id=row.user_id,
            contact_method_id=row.contact_method_id,
            channel=told.channel,
            kind=row.kind,
            reason=row.reason,
            level=row.level,
            repeat=row.repeat,
            due_at=row.due_at,
            status=row.status,
            page_id=row.page_id,
            attempts=page.attempts if page else 0,
            last_error=page.last_error if page else None,
            sent_at=page.sent_at if page else None,
            created_at=row.created_at,
        )


class NotificationPage(BaseModel):
    """A page of notifications, oldest first."""

    items: list[NotificationRead]
    next_cursor: str | None
