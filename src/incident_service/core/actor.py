"""Who changed something: a person, a program, the alerts themselves, or the service."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Actor:
    """The author of a timeline event.

    `type` is user, api_key, integration, alerts (of several integrations at once) or system.
    """

    type: str
    id: UUID | None
    name: str

    def as_json(self) -> dict[str, Any]:
        """Return the form kept in the timeline."""
        return {"type": self.type, "id": str(self.id) if self.id else None, "name": self.name}


ALERTS = Actor("alerts", None, "alerts")
SYSTEM = Actor("system", None, "incident-service")
