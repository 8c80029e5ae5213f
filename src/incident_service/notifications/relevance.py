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


def is_relevant(kind: NotificationKind, epoch: int, incident: Standing, now: datetime) -> bool:
    """Say whether to send it.

    A page belongs to the climb, by its epoch, that asked for it, and asks for an answer that is
    still missing. An update is for those who have the incident already.
    """
    match kind:
        case NotificationKind.UPDATE:
            return incident.status.is_active
        case NotificationKind.PAGE:
            snoozed = incident.snoozed_until is not None and incident.snoozed_until > now
            return incident.status is Status.OPEN and epoch == incident.epoch and not snoozed
