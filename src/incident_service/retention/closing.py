"""Close incidents that were resolved long ago, and that nobody has reopened or closed."""

from datetime import timedelta

from sqlalchemy import select

from incident_service.core.db import Tx
from incident_service.incidents import lifecycle, timeline
from incident_service.incidents.lifecycle import Status, Verb
from incident_service.incidents.models import Incident
from incident_service.incidents.timeline import EventKind

CLOSED_AT_ONCE = 100


async def close_old(tx: Tx, keep: timedelta) -> int:
    """Close a bounded number; those that somebody works on just now are passed over."""
    before = tx.now - keep
    found = await tx.session.scalars(
        select(Incident)
        .where(
            Incident.status == Status.RESOLVED,
            Incident.created_at < before,  # it is what the index orders by
            Incident.resolved_at < before,
        )
        .order_by(Incident.created_at, Incident.id)
        .limit(CLOSED_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    incidents = found.all()
    for incident in incidents:
        incident.status = lifecycle.change(incident.status, Verb.CLOSE) or incident.status
        incident.closed_at = tx.now
        reason = f"resolved more than {keep.days} days ago"
        timeline.record(tx, incident, EventKind.CLOSED, reason=reason)
    await tx.flush()
    return len(incidents)
