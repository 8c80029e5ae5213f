"""Hold climbs while a maintenance window covers their incidents.

Whatever would begin or go on by itself asks here first. What a person asks for by hand does not.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from incident_service.core.db import Tx
from incident_service.escalation.changes import Changes
from incident_service.escalation.climb import Climb
from incident_service.escalation.models import TimerKind
from incident_service.escalation.steps import Position
from incident_service.incidents import timeline
from incident_service.incidents.models import Incident
from incident_service.incidents.timeline import EventKind
from incident_service.maintenance.covering import Window, covering
from incident_service.maintenance.queries import load_running

Holds = Mapping[UUID, Window]
"""The window that covers each incident, by the incident's id; the others are missing."""


async def find_holds(tx: Tx, incidents: Sequence[Incident]) -> Holds:
    """Return which windows cover the incidents now: one statement, whatever their number."""
    if not incidents:
        return {}
    services = {incident.service_id for incident in incidents}
    running = await load_running(tx.session, services, tx.now)
    found = {
        incident.id: covering(running[incident.service_id], incident.labels)
        for incident in incidents
        if incident.service_id in running
    }
    return {incident_id: window for incident_id, window in found.items() if window is not None}


async def leave_free(tx: Tx, changes: Changes, climbs: Sequence[Climb]) -> list[Climb]:
    """Hold the climbs that a window covers; return the others, whose steps are to be taken."""
    holds = await find_holds(tx, [item.incident for item in climbs])
    for item in climbs:
        if item.incident.id in holds:
            hold(tx, changes, item.incident, item.due, holds[item.incident.id])
    return [item for item in climbs if item.incident.id not in holds]


def hold(tx: Tx, changes: Changes, incident: Incident, at: Position, window: Window) -> None:
    """Let an incident that waits for no timer wait for the end of a window."""
    incident.maintenance_window_id = window.id
    changes.add_pending(incident, TimerKind.MAINTENANCE_END, at, window.over_at)
    timeline.record(
        tx,
        incident,
        EventKind.MAINTENANCE_HELD,
        reason=window.reason,
        data={"window_id": str(window.id), "until": window.over_at.isoformat()},
    )
