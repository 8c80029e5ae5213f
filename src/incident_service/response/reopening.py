"""Bring a resolved incident back."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from incident_service.core.actor import Actor
from incident_service.core.db import Overtaken, Tx
from incident_service.escalation import actions as climbs
from incident_service.incidents import lifecycle, timeline
from incident_service.incidents.lifecycle import Verb
from incident_service.incidents.models import Incident
from incident_service.incidents.timeline import EventKind
from incident_service.notifications import actions as notifications


async def reopen_incidents(
    tx: Tx,
    incidents: Sequence[Incident],
    actors: Mapping[UUID, Actor],
    *,
    reason: str | None = None,
) -> None:
    """Reopen resolved incidents, each by its actor.

    One that somebody had acknowledged begins again at level 1; one that nobody had answered goes
    on at its level with the time that was left, so that flapping does not hold the climb down.

    Raises:
        Overtaken: another incident of the key became active meanwhile.
    """
    answered: list[Incident] = []
    unanswered: list[Incident] = []
    for incident in incidents:
        changed = lifecycle.change(incident.status, Verb.REOPEN)
        if changed is None:
            continue
        (answered if incident.acknowledged_at else unanswered).append(incident)
        incident.status = changed
        incident.flap_count += 1
        incident.resolved_at = None
        incident.resolved_by = None
        incident.resolved_until_clear = False
        incident.forget_acknowledge()
        by = actors[incident.id]
        timeline.record(tx, incident, EventKind.REOPENED, actor=by, reason=reason)
    try:
        await tx.flush()
    except IntegrityError as error:
        # The key became active again between the look and the lock.
        raise Overtaken from error
    await notifications.cancel_updates(tx, [incident.id for incident in incidents])
    await climbs.start(tx, answered)
    await climbs.go_on(tx, unanswered)
