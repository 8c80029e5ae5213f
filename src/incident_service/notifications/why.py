"""Say why somebody was not told, or not yet. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime

from incident_service.notifications.models import (
    CancelReason,
    Notification,
    NotificationStatus,
    Page,
    PageStatus,
)
from incident_service.notifications.spacing import SPACING

CANCELLED = {
    CancelReason.ACKNOWLEDGED: "The incident was acknowledged before it was sent.",
    CancelReason.RESOLVED: "The incident was resolved before it was sent.",
    CancelReason.SNOOZED: "The incident was snoozed before it was sent.",
    CancelReason.MAINTENANCE: "A maintenance window began to hold the incident before it was sent.",
    CancelReason.SUPERSEDED: "The incident had moved on before it was sent.",
    CancelReason.REPLANNED: "The person's rules were changed before it was sent.",
    CancelReason.INACTIVE: "The person was made inactive before it was sent.",
}
# What a release before the reasons has taken back.
OVERTAKEN = "It was overtaken before it was sent."


@dataclass(frozen=True, slots=True)
class Holds:
    """What keeps an address from being told: until when its person wants quiet, and `spacing`."""

    quiet_until: datetime | None = None
    spaced_until: datetime | None = None


def why_not_sent(row: Notification, page: Page | None, holds: Holds, now: datetime) -> str | None:
    """Return the reason in a sentence; None: it was sent."""
    match row.status:
        case NotificationStatus.SENT:
            return None
        case NotificationStatus.FAILED:
            return page.last_error if page else None
        case NotificationStatus.CANCELLED:
            reason = row.cancelled_because
            return CANCELLED[reason] if reason else OVERTAKEN
        case NotificationStatus.SENDING:
            return why_not_through(page)
        case NotificationStatus.PENDING:
            return why_not_begun(row, holds, now)


def why_not_through(page: Page | None) -> str:
    """Say how far the sending is."""
    if page is None or page.status is not PageStatus.WAITING or page.next_attempt_at is None:
        return "It is being sent."
    return f"Attempt {page.attempts} failed; the next one is at {shown(page.next_attempt_at)}."


def why_not_begun(row: Notification, holds: Holds, now: datetime) -> str:
    """Say what it waits for."""
    if row.due_at > now and holds.quiet_until is not None:
        return f"The person's quiet hours put it off until {shown(row.due_at)}."
    if row.due_at > now:
        return f"By the person's rules this address follows at {shown(row.due_at)}."
    if holds.spaced_until is not None:
        return (
            f"The address was sent a page less than {SPACING.seconds} s ago: what is due meanwhile "
            f"goes into one page at {shown(holds.spaced_until)}."
        )
    return f"It is due since {shown(row.due_at)}: the next worker that is free sends it."


def shown(at: datetime) -> str:
    """Return an instant for people to read."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
