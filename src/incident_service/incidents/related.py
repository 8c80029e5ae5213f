"""What is shown of the incidents that are linked to one, and the tag that goes with it."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from incident_service.incidents import queries
from incident_service.incidents.models import Incident
from incident_service.incidents.schemas import RelatedRead
from incident_service.teams.auth import Principal
from incident_service.web.preconditions import Tag, digest


async def shown_related(
    session: AsyncSession, incident_id: UUID, principal: Principal
) -> list[RelatedRead]:
    """Show those that the caller sees, oldest first."""
    rows = await queries.list_related(session, incident_id, principal)
    return [RelatedRead.model_validate(row) for row in rows]


def tag_of(incident: Incident, related: Sequence[RelatedRead]) -> Tag:
    """Return the tag of an incident: its last event.

    Linked incidents go their own ways, so how they are shown is noted beside it.
    """
    noted = [each.model_dump(mode="json") for each in related]
    return Tag(str(incident.event_count), digest(noted) if noted else "")
