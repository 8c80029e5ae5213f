"""Decide which changes of status an incident allows. Pure.

OPEN ⇄ ACKNOWLEDGED        acknowledge / unacknowledge, escalate
OPEN, ACKNOWLEDGED → RESOLVED        resolve
RESOLVED → OPEN        reopen
RESOLVED → CLOSED        close; nothing leads out of CLOSED
"""

from enum import StrEnum

from incident_service.core.errors import Conflict


class Status(StrEnum):
    """Where an incident is in its life."""

    OPEN = "OPEN"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    RESOLVED = "RESOLVED"
    CLOSED = "CLOSED"

    @property
    def is_active(self) -> bool:
        """Somebody works on it, or should."""
        return self in (Status.OPEN, Status.ACKNOWLEDGED)


class Verb(StrEnum):
    """What can be done to an incident."""

    ACKNOWLEDGE = "acknowledge"
    UNACKNOWLEDGE = "unacknowledge"
    RESOLVE = "resolve"
    CLOSE = "close"
    REOPEN = "reopen"
    SNOOZE = "snooze"
    ESCALATE = "escalate"
    REASSIGN = "reassign"
    PRIORITIZE = "prioritize"


class NotAllowedNow(Conflict):
    """The incident's status rules this out."""

    def __init__(self, verb: Verb, status: Status) -> None:
        super().__init__(f"An incident that is {status} cannot be {PARTICIPLE[verb]}.")


PARTICIPLE = {
    Verb.ACKNOWLEDGE: "acknowledged",
    Verb.UNACKNOWLEDGE: "unacknowledged",
    Verb.RESOLVE: "resolved",
    Verb.CLOSE: "closed",
    Verb.REOPEN: "reopened",
    Verb.SNOOZE: "snoozed",
    Verb.ESCALATE: "escalated",
    Verb.REASSIGN: "reassigned",
    Verb.PRIORITIZE: "given another priority",
}

TRANSITIONS: dict[Verb, dict[Status, Status]] = {
    Verb.ACKNOWLEDGE: {Status.OPEN: Status.ACKNOWLEDGED},
    Verb.UNACKNOWLEDGE: {Status.ACKNOWLEDGED: Status.OPEN},
    Verb.RESOLVE: {Status.OPEN: Status.RESOLVED, Status.ACKNOWLEDGED: Status.RESOLVED},
    Verb.CLOSE: {Status.RESOLVED: Status.CLOSED},
    Verb.REOPEN: {Status.RESOLVED: Status.OPEN},
    Verb.SNOOZE: {Status.OPEN: Status.OPEN},
    Verb.ESCALATE: {Status.OPEN: Status.OPEN, Status.ACKNOWLEDGED: Status.OPEN},
    Verb.REASSIGN: {Status.OPEN: Status.OPEN, Status.ACKNOWLEDGED: Status.OPEN},
    Verb.PRIORITIZE: {
        Status.OPEN: Status.OPEN,
        Status.ACKNOWLEDGED: Status.ACKNOWLEDGED,
    },
}

# Verbs that find their work done already: they answer "unchanged" instead of refusing.
ALREADY_THERE: dict[Verb, Status] = {
    Verb.ACKNOWLEDGE: Status.ACKNOWLEDGED,
    Verb.UNACKNOWLEDGE: Status.OPEN,
    Verb.RESOLVE: Status.RESOLVED,
    Verb.CLOSE: Status.CLOSED,
    Verb.REOPEN: Status.OPEN,
}


def change(status: Status, verb: Verb) -> Status | None:
    """Return the status after `verb`, or None when there is nothing left to do.

    Raises:
        NotAllowedNow: the verb makes no sense for this status.
    """
    if status in TRANSITIONS[verb]:
        return TRANSITIONS[verb][status]
    if ALREADY_THERE.get(verb) == status:
        return None
    raise NotAllowedNow(verb, status)
