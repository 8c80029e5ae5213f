"""Write down what somebody found out."""

from sqlalchemy import select

from incident_service.core.actor import Actor
from incident_service.core.db import Tx
from incident_service.incidents import timeline
from incident_service.incidents.models import Incident, IncidentEvent
from incident_service.incidents.timeline import EventKind
from incident_service.response.actions import Done, Order, locked


async def note(tx: Tx, order: Order, text: str) -> Done:
    """Add a note to the timeline, in every status; no page tells of it.

    The same words of the same author, with nothing in between, are the same note.
    """
    incident, actor = await locked(tx, order)
    if await is_said(tx, incident, actor, text):
        return Done(incident, changed=False)
    timeline.record(tx, incident, EventKind.NOTED, actor=actor, data={"text": text})
    await tx.flush()
    return Done(incident, changed=True)


async def is_said(tx: Tx, incident: Incident, actor: Actor, text: str) -> bool:
    """Say whether the last event is this very note."""
    last = await tx.session.scalar(
        select(IncidentEvent).where(
            IncidentEvent.incident_id == incident.id,
            IncidentEvent.sequence == incident.event_count,
        )
    )
    return last is not None and (last.kind, last.actor, last.data) == (
        EventKind.NOTED.value,
        actor.as_json(),
        {"text": text},
    )
