"""Decide whether a notification still has a reason to be sent. Pure."""

from dataclasses import dataclass
from datetime import datetime

from incident_service.incidents.lifecycle import Status
from incident_service.notifications.models import NotificationKind


@dataclass(frozen=True, slots=True)
class Standing:
    """How an incident stands at the claim."""

    status: Status
    epoch: int
    snoozed_until: datetime | None
    is_quiet: bool = False
    is_held: bool = False


def is_relevant(kind: NotificationKind, epoch: int, incident: Standing, now: datetime) -> bool:
    """Say whether to send it.

    Both belong to the climb, by its epoch, that asked for it. A page asks for an answer that is
    still missing; an update says how the incident stands, whatever that is by now.
    """
    if epoch != incident.epoch:
        return False
    match kind:
        case NotificationKind.UPDATE:
            return True
        case NotificationKind.PAGE:
            snoozed = incident.snoozed_until is not None and incident.snoozed_until > now
            is_waiting = snoozed or incident.is_held or incident.is_quiet
            return incident.status is Status.OPEN and not is_waiting
