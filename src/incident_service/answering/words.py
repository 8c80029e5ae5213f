"""Say in words what has become of an incident. Pure."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from incident_service.incidents.lifecycle import Status
from incident_service.incidents.models import Incident, IncidentEvent
from incident_service.incidents.timeline import EventKind
from incident_service.notifications.message import one_line

TOLD: dict[str, str] = {
    EventKind.ACKNOWLEDGED: "acknowledged by {who}",
    EventKind.UNACKNOWLEDGED: "given back by {who}",
    EventKind.ACKNOWLEDGE_TIMED_OUT: "taken back: its acknowledge timed out",
    EventKind.ESCALATED: "escalated by {who}",
    EventKind.RESTARTED: "begun again at level 1 by {who}",
    EventKind.REASSIGNED: "handed on by {who}",
    EventKind.SNOOZED: "snoozed by {who}",
    EventKind.SNOOZE_ENDED: "no longer snoozed",
    EventKind.MAINTENANCE_HELD: "held by maintenance",
    EventKind.MAINTENANCE_ENDED: "no longer held by maintenance",
    EventKind.EXHAUSTED: "the policy ran out",
    EventKind.RESOLVED: "resolved by {who}",
    EventKind.REOPENED: "reopened by {who}",
    EventKind.CLOSED: "closed by {who}",
}
WITH_ARTICLE = {
    "alerts": "its alerts",
    "integration": "its alerts",
    "system": "the service",
}
EVENTS_SHOWN = 5


def standing(
    incident: Incident, acknowledged: IncidentEvent | None, *, reader: str, zone: ZoneInfo
) -> str:
    """Say who has the incident, or since when it is over; `reader` is told of as "you"."""
    match incident.status:
        case Status.OPEN:
            return "Nobody has it yet."
        case Status.ACKNOWLEDGED:
            holder = who(acknowledged.actor, reader) if acknowledged else "somebody"
            verb = "have" if holder == "you" else "has"
            return sentence(f"{holder} {verb} it since {clock(incident.acknowledged_at, zone)}")
        case Status.RESOLVED:
            by = (incident.resolved_by or "").partition(":")
            named = WITH_ARTICLE.get(by[0]) or one_line(by[2]) or "somebody"
            return sentence(f"resolved by {named} at {clock(incident.resolved_at, zone)}")
        case Status.CLOSED:
            return sentence(f"over and filed since {clock(incident.closed_at, zone)}")


def history(events: Sequence[IncidentEvent], *, reader: str, zone: ZoneInfo) -> tuple[str, ...]:
    """Say what happened, a line an event, of the last five."""
    return tuple(
        f"{clock(event.at, zone)}: {TOLD[event.kind].format(who=who(event.actor, reader))}"
        for event in events[-EVENTS_SHOWN:]
    )


def who(actor: dict[str, Any], reader: str) -> str:
    """Name the author of an event."""
    if actor.get("id") == reader:
        return "you"
    return WITH_ARTICLE.get(str(actor.get("type"))) or one_line(str(actor.get("name")))


def clock(at: datetime | None, zone: ZoneInfo) -> str:
    """Write an instant as its reader's wall shows it."""
    return f"{at.astimezone(zone):%a %d %b, %H:%M}" if at else "a time unknown"


def sentence(text: str) -> str:
    """Make a sentence."""
    return f"{text[:1].upper()}{text[1:]}."


def named(incidents: Collection[Incident]) -> str:
    """Name incidents by their numbers, up to five of them."""
    numbers = sorted(incident.number for incident in incidents)
    more = f" and {len(numbers) - EVENTS_SHOWN} more" if len(numbers) > EVENTS_SHOWN else ""
    return ", ".join(f"#{number}" for number in numbers[:EVENTS_SHOWN]) + more
