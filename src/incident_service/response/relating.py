"""Link incidents that have to do with each other. A link goes both ways, and changes no climb."""

from uuid import UUID

from sqlalchemy import delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert

from incident_service.core.db import Tx
from incident_service.core.errors import Conflict, Invalid
from incident_service.incidents import timeline
from incident_service.incidents.locks import lock
from incident_service.incidents.models import Incident, IncidentRelation
from incident_service.incidents.queries import IncidentNotFound
from incident_service.incidents.timeline import EventKind
from incident_service.response.actions import Done, Order, actor_of

MOST_RELATED = 100


class RelatedToItself(Invalid):
    """An incident cannot be related to itself."""


class TooManyRelated(Conflict):
    """One of the two is linked to 100 incidents already."""


async def relate(tx: Tx, order: Order, other_id: UUID) -> Done:
    """Link two incidents, whatever their statuses; both timelines tell of it.

    Raises:
        IncidentNotFound, RoleTooLow: one of them is not the caller's.
        RelatedToItself, TooManyRelated: see there.
    """
    incident, other = await lock_both(tx, order, other_id)
    made = await tx.session.scalar(
        insert(IncidentRelation)
        .values(pair(incident, other) | {"created_at": tx.now})
        .on_conflict_do_nothing()
        .returning(IncidentRelation.first_id)
    )
    if made is None:
        return Done(incident, changed=False)
    for each in (incident, other):
        if await count_related(tx, each) > MOST_RELATED:
            raise TooManyRelated
    await tell_both(tx, order, incident, other, EventKind.RELATED)
    return Done(incident, changed=True)


async def unrelate(tx: Tx, order: Order, other_id: UUID) -> Done:
    """Take the link between two incidents away.

    Raises:
        IncidentNotFound, RoleTooLow: one of them is not the caller's.
        RelatedToItself: see there.
    """
    incident, other = await lock_both(tx, order, other_id)
    gone = await tx.session.scalar(
        delete(IncidentRelation)
        .filter_by(**pair(incident, other))
        .returning(IncidentRelation.first_id)
    )
    if gone is None:
        return Done(incident, changed=False)
    await tell_both(tx, order, incident, other, EventKind.UNRELATED)
    return Done(incident, changed=True)


async def lock_both(tx: Tx, order: Order, other_id: UUID) -> tuple[Incident, Incident]:
    """Lock both incidents, which the caller may work on.

    Raises:
        IncidentNotFound, RoleTooLow: one of them is not the caller's.
        RelatedToItself: they are the same.
        PreconditionFailed: see `Order.require_seen`.
    """
    if other_id == order.incident_id:
        raise RelatedToItself("", "")
    found = await lock(tx.session, [order.incident_id, other_id])
    both = []
    for id_ in (order.incident_id, other_id):
        incident = found.get(id_)
        if incident is None or not order.principal.sees(incident.team_id):
            raise IncidentNotFound
        order.principal.require_role(incident.team_id)
        both.append(incident)
    order.require_seen(both[0])
    return both[0], both[1]


def pair(one: Incident, other: Incident) -> dict[str, UUID]:
    """Return the key of the link between two incidents."""
    first_id, second_id = sorted((one.id, other.id))
    return {"first_id": first_id, "second_id": second_id}


async def count_related(tx: Tx, incident: Incident) -> int:
    """Count the links of an incident."""
    found = await tx.session.scalar(
        select(func.count())
        .select_from(IncidentRelation)
        .where(
            or_(
                IncidentRelation.first_id == incident.id,
                IncidentRelation.second_id == incident.id,
            )
        )
    )
    return found or 0


async def tell_both(tx: Tx, order: Order, one: Incident, other: Incident, kind: EventKind) -> None:
    """Record the change in both timelines.

    The other is named by its number: who reads this timeline may not see that incident.
    """
    actor = await actor_of(tx, order.principal, order.user_id)
    for incident, linked in ((one, other), (other, one)):
        timeline.record(
            tx,
            incident,
            kind,
            actor=actor,
            reason=order.reason,
            data={"incident": {"id": str(linked.id), "number": linked.number}},
        )
    await tx.flush()
