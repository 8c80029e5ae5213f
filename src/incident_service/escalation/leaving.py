"""Let climbs go on when somebody whom they were about to tell is made inactive."""

from uuid import UUID

from incident_service.core.db import Tx
from incident_service.escalation import unreached
from incident_service.incidents.locks import lock
from incident_service.notifications.actions import cancel_for_person
from incident_service.notifications.replanning import climbing_for


async def take_back_from(tx: Tx, user_id: UUID) -> None:
    """Take back what the person was still to be told; where nobody else was, go on at once."""
    incident_ids = await climbing_for(tx, user_id)
    await lock(tx.session, incident_ids)
    await cancel_for_person(tx, user_id)
    await unreached.go_on(tx, incident_ids)
