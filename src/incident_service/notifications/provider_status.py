"""Decide what the words mean that Twilio says about a page after it has taken it. Pure."""

from collections.abc import Collection
from dataclasses import dataclass

from incident_service.teams.models import Channel

STATUSES: dict[Channel, tuple[str, ...]] = {
    Channel.SMS: (
        "accepted",
        "scheduled",
        "queued",
        "sending",
        "sent",
        "canceled",
        "failed",
        "undelivered",
        "delivered",
        "read",
    ),
    Channel.VOICE: (
        "queued",
        "initiated",
        "ringing",
        "in-progress",
        "canceled",
        "failed",
        "busy",
        "no-answer",
        "completed",
    ),
}
"""What may be said of a message or a call, each status later than those before it.

Of two last words that contradict each other the better one stays, whichever came first: so the
order in which they arrive makes no difference.

Source: https://www.twilio.com/docs/messaging/api/message-resource#message-status-values
Source: https://www.twilio.com/docs/voice/api/call-resource#call-status-values
"""
UNANSWERED = frozenset({"busy", "no-answer"})
FAILURES = UNANSWERED | {"canceled", "failed", "undelivered"}


def moves_on(channel: Channel, before: str | None, after: str) -> bool:
    """Say whether a status may replace another: it is known, and later."""
    known = STATUSES.get(channel, ())
    if after not in known:
        return False
    return before not in known or known.index(after) > known.index(before)


def is_failure(status: str | None) -> bool:
    """Say whether a status means that the page did not get to its person."""
    return status in FAILURES


@dataclass(frozen=True, slots=True)
class Tried:
    """An attempt: whether the channel took it, as far as we know, and what was said since."""

    taken: bool | None
    status: str | None


def got_nowhere(attempts: Collection[Tried]) -> bool:
    """Say whether a page that was sent has failed: none of its attempts may still be through.

    An attempt whose answer was lost may have been taken all the same; its status says so.
    """
    return not any(
        bool(each.taken) if each.status is None else not is_failure(each.status)
        for each in attempts
    )


def in_words(status: str | None, error: str | None) -> str:
    """Return the failure for people; `error` is Twilio's number of it."""
    return f"Twilio says {status}" + (f" (error {error})" if error else "")
