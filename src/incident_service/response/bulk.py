"""The verbs on many incidents at once, in parts of 50 that are each a transaction.

A part locks its incidents in the order of their ids, as everybody does, and nothing before them.
What was done stays done when a later part fails; asking for all of it again does the rest.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from incident_service.core.actor import Actor
from incident_service.core.db import Transactions, Tx
from incident_service.core.errors import DomainError
from incident_service.incidents import lifecycle
from incident_service.incidents.lifecycle import NotAllowedNow, Status, Verb
from incident_service.incidents.locks import lock
from incident_service.incidents.models import Incident
from incident_service.incidents.queries import IncidentNotFound
from incident_service.response.actions import actor_of, end, take
from incident_service.teams.auth import Principal, RoleTooLow

AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class BulkOrder:
    """Who wants the same of which incidents, and why."""

    incident_ids: Sequence[UUID]
    principal: Principal
    user_id: UUID | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one incident; `status` is None when it is not the caller's to see."""

    incident_id: UUID
    changed: bool
    status: Status | None = None
    error: DomainError | None = None


Apply = Callable[[Tx, Sequence[Incident], Actor, str | None], Awaitable[None]]


async def acknowledge(transactions: Transactions, order: BulkOrder) -> list[Answer]:
    """Take those of the incidents that are open; one answer an id, in their order."""
    return await in_parts(transactions, order, Verb.ACKNOWLEDGE, take)


async def resolve(
    transactions: Transactions, order: BulkOrder, *, until_clear: bool
) -> list[Answer]:
    """End those of the incidents that are active; one answer an id, in their order."""
    return await in_parts(transactions, order, Verb.RESOLVE, partial(end, until_clear=until_clear))


async def in_parts(
    transactions: Transactions, order: BulkOrder, verb: Verb, apply: Apply
) -> list[Answer]:
    """Do what is wanted, a part after the other."""
    ids = sorted(set(order.incident_ids))
    answers: dict[UUID, Answer] = {}
    for start in range(0, len(ids), AT_ONCE):
        part = ids[start : start + AT_ONCE]
        answers |= await transactions.run(
            lambda tx, part=part: do_part(tx, order, part, verb, apply)  # type: ignore[misc]
        )
    return [answers[incident_id] for incident_id in order.incident_ids]


async def do_part(
    tx: Tx, order: BulkOrder, ids: Sequence[UUID], verb: Verb, apply: Apply
) -> dict[UUID, Answer]:
    """Do it to those of some incidents that allow it.

    Raises:
        ActsForOnePerson, UserUnknown: see `actor_of`.
    """
    actor = await actor_of(tx, order.principal, order.user_id)
    incidents = await lock(tx.session, ids)
    refused = {id_: why_not(incidents.get(id_), order.principal, verb) for id_ in ids}
    to_do = [
        incident
        for id_, incident in incidents.items()
        if refused[id_] is None and lifecycle.change(incident.status, verb) is not None
    ]
    if to_do:
        await apply(tx, to_do, actor, order.reason)
    done = {incident.id for incident in to_do}
    return {
        id_: Answer(
            id_,
            changed=id_ in done,
            status=None if isinstance(error, IncidentNotFound) else incidents[id_].status,
            error=error,
        )
        for id_, error in refused.items()
    }


def why_not(incident: Incident | None, principal: Principal, verb: Verb) -> DomainError | None:
    """Say what rules the verb out for one of them; None: nothing."""
    if incident is None or not principal.sees(incident.team_id):
        return IncidentNotFound()
    if not principal.may_in(incident.team_id):
        return RoleTooLow()
    try:
        lifecycle.change(incident.status, verb)
    except NotAllowedNow as error:
        return error
    return None
