"""Write what a stream says of a change, and what it says when it cannot be resumed. Pure."""

import json

from incident_service.incidents.models import Incident, IncidentEvent
from incident_service.incidents.schemas import IncidentChange, IncidentState
from incident_service.incidents.stream import framing
from incident_service.incidents.stream.cursor import Lost

RESET = "reset"


def write(incident: Incident, event: IncidentEvent) -> str:
    """Return an event's data."""
    data = IncidentChange(
        incident_id=incident.id,
        number=incident.number,
        team_id=incident.team_id,
        service_id=incident.service_id,
        sequence=event.sequence,
        kind=event.kind,
        actor=event.actor,
        reason=event.reason,
        data=event.data,
        at=event.at,
        incident=IncidentState.model_validate(incident),
    )
    return data.model_dump_json()


def write_reset(id_: str, lost: Lost) -> bytes:
    """Tell a reader that it has missed something, and has to read the lists again."""
    return framing.event(id_, RESET, json.dumps({"reason": lost.value}))
