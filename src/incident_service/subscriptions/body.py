"""What a receiver is told: `{"type": "incident.acknowledged", "timestamp": …, "data": {…}}`."""

import json
from datetime import datetime
from typing import Any

from incident_service.incidents.models import Incident, IncidentEvent
from incident_service.incidents.schemas import EventRead, IncidentRead

PING = "ping"


def of_event(incident: Incident, event: IncidentEvent) -> str:
    """Return the body about an event, with the incident as the API shows it.

    The incident may be further on than the event: its `version` says how far.
    """
    data = {
        "incident": IncidentRead.model_validate(incident).model_dump(mode="json"),
        "event": EventRead.model_validate(event).model_dump(mode="json"),
    }
    return encoded(f"incident.{event.kind}", event.at, data)


def of_ping(at: datetime) -> str:
    """Return the body of a test."""
    return encoded(PING, at, {})


def encoded(type_: str, at: datetime, data: dict[str, Any]) -> str:
    """Write the body as JSON."""
    return json.dumps({"type": type_, "timestamp": at.isoformat(), "data": data})
