"""What the API shows of notifications."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from incident_service.catalog.priority import Priority
from incident_service.notifications.models import NotificationKind, NotificationStatus, PageStatus
from incident_service.notifications.queries import Told
from incident_service.schedules.schemas import TimeOfDay
from incident_service.teams.schemas import ShownChannel
from incident_service.web.fields import Request, Response, Whole
from incident_service.web.resources import Resource

DAY = 24 * 60


class NotificationRead(Response):
    """One person told about an incident at one address, and how that went."""

    id: UUID
    incident_id: UUID
    recipient: str = Field(
        description="The person's name, the team channel's, or `fallback contact`."
    )
    user_id: UUID | None = Field(
        description="Null: a team's channel, or the installation's fallback contact."
    )
    contact_method_id: UUID
    channel: ShownChannel
    kind: NotificationKind = Field(description="A page asks for an answer; an update informs.")
    reason: str = Field(description="Why they are told, for people; the words may change.")
    level: int
    repeat: int
    due_at: datetime
    status: NotificationStatus
    page_id: UUID | None = Field(
        description="The message that carried it, as receivers know it; null: none yet."
    )
    attempts: int = Field(description="How often its page was sent, or tried.")
    why: str | None = Field(
        description="Why it was not sent, or not yet, in words; null: it was sent."
    )
    last_error: str | None
    provider_said: str | None = Field(
        description="What the channel answered to the last attempt, or why there was no answer."
    )
    provider_status: str | None = Field(
        description="What the provider has reported of it since, such as `delivered` or "
        "`no-answer`. Null: nothing; only `sms` and `voice` are reported."
    )
    sent_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, told: Told) -> Self:
        """Show a notification together with its page."""
        row, page = told.notification, told.page
        return cls(
            id=row.id,
            incident_id=row.incident_id,
            recipient=told.recipient,
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
            why=told.why,
            last_error=page.last_error if page else None,
            provider_said=told.attempt.detail if told.attempt else None,
            provider_status=told.attempt.provider_status if told.attempt else None,
            sent_at=page.sent_at if page else None,
            created_at=row.created_at,
        )


class NotificationPage(Response):
    """A page of notifications, oldest first."""

    items: list[NotificationRead]
    next_cursor: str | None


class NotificationRule(Request):
    """When a person is told at an address about incidents of a priority."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)

    priority: Priority
    contact_method_id: UUID = Field(description="One of the person's own.")
    delay_minutes: Whole = Field(
        0, ge=0, le=DAY, description="From the beginning of the level, until somebody answers."
    )


class QuietTime(Request):
    """Times of day in the person's own time zone."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)

    from_time: TimeOfDay
    to_time: TimeOfDay = Field(description="On the next day, unless later than `from_time`.")

    @model_validator(mode="after")
    def _some_time(self) -> Self:
        if self.from_time == self.to_time:
            raise ValueError("from_time and to_time must differ")
        return self


class NotificationRulesPut(Request):
    """How a person wants to be told."""

    rules: list[NotificationRule] = Field(
        max_length=100,
        description="Who has none for a priority is told everywhere, at once.",
    )
    quiet_hours: QuietTime | None = Field(
        None,
        description="What is medium, low or info waits for their end; critical and high never do.",
    )


class NotificationRuleRead(Response):
    """When a person is told at an address about incidents of a priority."""

    priority: Priority
    contact_method_id: UUID
    delay_minutes: int


class QuietTimeRead(Response):
    """Times of day in the person's own time zone."""

    from_time: TimeOfDay
    to_time: TimeOfDay


class NotificationRulesRead(Resource):
    """How a person wants to be told."""

    rules: list[NotificationRuleRead]
    quiet_hours: QuietTimeRead | None


class NoteSent(Response):
    """A message that is on its way; `GET /v1/pages/{page_id}` says how it fares."""

    page_id: UUID


class Verification(Request):
    """The code that was sent to the address."""

    code: Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[A-Za-z2-9]{8}$")]


class VerificationResult(Response):
    """Whether the code was right. Without tries left, have another one sent."""

    is_verified: bool
    tries_left: int


class AttemptRead(Response):
    """One try to hand a page to its channel."""

    number: int
    started_at: datetime
    finished_at: datetime | None
    delivered: bool | None = Field(description="null: its outcome is not known.")
    detail: str | None = Field(description="What the channel answered, or the error.")
    provider_status: str | None = Field(
        description="What the provider has reported since: of a message up to `delivered` or "
        "`undelivered`, of a call up to `completed`, `busy` or `no-answer`. Null: nothing."
    )
    provider_status_at: datetime | None
    provider_error: str | None = Field(description="The provider's number of a failure.")


class PageRead(Resource):
    """One message to one address, and how it fares."""

    id: UUID
    user_id: UUID | None
    contact_method_id: UUID
    channel: ShownChannel
    priority: Priority
    status: PageStatus
    attempts: list[AttemptRead]
    next_attempt_at: datetime | None
    sent_at: datetime | None
    last_error: str | None
    created_at: datetime
