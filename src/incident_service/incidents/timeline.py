"""The timeline: every change of an incident, in the transaction that made it."""

from enum import StrEnum
from functools import cache
from typing import Any

from prometheus_client import Counter

from incident_service.core.actor import SYSTEM, Actor
from incident_service.core.db import Tx
from incident_service.incidents.models import Incident, IncidentEvent
from incident_service.observability import metrics


class EventKind(StrEnum):
    """What can happen to an incident. The set is open for readers: new kinds may come."""

    OPENED = "opened"
    ALERTS_JOINED = "alerts_joined"
    ALERTS_RESOLVED = "alerts_resolved"
    ALERTS_STALE = "alerts_stale"
    PRIORITY_RAISED = "priority_raised"
    PRIORITY_LOWERED = "priority_lowered"
    PAGED = "paged"
    LEVELS_SKIPPED = "levels_skipped"
    LEVEL_UNREACHED = "level_unreached"
    NOBODY_TO_PAGE = "nobody_to_page"
    EXHAUSTED = "exhausted"
    REMINDED = "reminded"
    ASSIGNEE_PAGED = "assignee_paged"
    ASSIGNEE_TOLD = "assignee_told"
    PAGE_FAILED = "page_failed"
    ACKNOWLEDGED = "acknowledged"
    UNACKNOWLEDGED = "unacknowledged"
    ACKNOWLEDGE_TIMED_OUT = "acknowledge_timed_out"
    ESCALATED = "escalated"
    RESTARTED = "restarted"
    REASSIGNED = "reassigned"
    SNOOZED = "snoozed"
    SNOOZE_ENDED = "snooze_ended"
    MAINTENANCE_HELD = "maintenance_held"
    MAINTENANCE_ENDED = "maintenance_ended"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    CLOSED = "closed"
    NOTED = "noted"
    RELATED = "related"
    UNRELATED = "unrelated"


@cache
def counter_of(kind: EventKind) -> Counter:
    """Return the counter of a kind; to look it up costs more than to count."""
    return metrics.INCIDENTS.labels(kind.value)


def record(
    tx: Tx,
    incident: Incident,
    kind: EventKind,
    *,
    actor: Actor = SYSTEM,
    reason: str | None = None,
    data: dict[str, Any] | None = None,
) -> None:
    """Add an event. The incident must be locked by this transaction: that orders the sequence."""
    incident.event_count += 1
    incident.version += 1
    tx.after_commit(counter_of(kind).inc)
    tx.add_row(
        IncidentEvent,
        {
            "incident_id": incident.id,
            "sequence": incident.event_count,
            "kind": kind.value,
            "actor": actor.as_json(),
            "reason": reason,
            "data": data or {},
            "trace_context": tx.trace_of(incident.id),
            "at": tx.now,
        },
    )
