"""Open an incident by hand."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select

from incident_service.catalog.models import Service
from incident_service.catalog.priority import Priority
from incident_service.catalog.queries import get_service
from incident_service.core.actor import Actor
from incident_service.core.db import Tx
from incident_service.core.errors import Conflict
from incident_service.core.ids import new_id
from incident_service.escalation import actions as climbs
from incident_service.incidents import timeline
from incident_service.incidents.locks import lock
from incident_service.incidents.models import Incident
from incident_service.incidents.queries import latest_by_key
from incident_service.incidents.timeline import EventKind
from incident_service.policies.models import EscalationPolicy
from incident_service.policies.targets import Person
from incident_service.response.actions import Done, actor_of
from incident_service.response.arrivals import Arrival, Opening, insert_incidents, opening_row
from incident_service.response.handing_over import (
    get_active_policy,
    get_reachable,
    give_to_policy,
)
from incident_service.teams.auth import Principal


class KeyWithAnotherTeam(Conflict):
    """The incident of this key is active and now another team's; report under another key."""


@dataclass(frozen=True, slots=True)
class Report:
    """What somebody says is wrong, and whom they want to deal with it.

    `key` is the reporter's own name for it: while an incident of that name is active, another
    report of it changes nothing.
    """

    service_id: UUID
    title: str
    priority: Priority
    description: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    key: str | None = None
    policy_id: UUID | None = None
    assigned_user_id: UUID | None = None


async def create(
    tx: Tx,
    report: Report,
    principal: Principal,
    *,
    user_id: UUID | None = None,
    reason: str | None = None,
) -> Done:
    """Open an incident that no alert belongs to, and page at once.

    It is resolved by hand alone. One that asks nobody in particular, and is less urgent than its
    service pages for, is quiet, as an alert's would be.

    Raises:
        ServiceNotFound, EscalationPolicyNotFound, RoleTooLow: it is not the caller's.
        PolicyInactive, PersonUnreachable, UserUnknown: it would wait for nobody.
        ActsForOnePerson, UserUnknown: see `actor_of`.
        KeyWithAnotherTeam: the key's incident is active, and no longer the caller's.
        Overtaken: another report of the same key was faster.
    """
    actor = await actor_of(tx, principal, user_id)
    wanted = report.policy_id
    policy = await get_active_policy(tx, wanted, principal) if wanted else None
    service = await get_service(tx.session, report.service_id, principal)
    person = await get_reachable(tx, report.assigned_user_id) if report.assigned_user_id else None
    fingerprint = f"by-hand/{report.key or new_id()}"
    known = await latest_by_key(tx.session, [(service.id, fingerprint)]) if report.key else []
    for incident in (await lock(tx.session, known)).values():
        if incident.status.is_active:
            if not principal.sees(incident.team_id):
                raise KeyWithAnotherTeam
            return Done(incident, changed=False)
    opening = describe(report, service, fingerprint, known[0] if known else None)
    incident_id = await open_by_hand(tx, opening, policy, person, actor, reason)
    found = await tx.session.scalars(select(Incident).where(Incident.id == incident_id))
    return Done(found.one(), changed=True)


def describe(
    report: Report, service: Service, fingerprint: str, previous_incident_id: UUID | None
) -> Opening:
    """Say of the new incident what its alerts would."""
    return Opening(
        id=new_id(),
        service=service,
        fingerprint=fingerprint,
        title=report.title,
        labels=dict(report.labels),
        annotations={"description": report.description} if report.description else {},
        arrival=Arrival((), report.priority),
        previous_incident_id=previous_incident_id,
    )


async def open_by_hand(
    tx: Tx,
    opening: Opening,
    policy: EscalationPolicy | None,
    person: Person | None,
    actor: Actor,
    reason: str | None,
) -> UUID:
    """Store the incident with its first page, and return its id."""
    incident = Incident(**opening_row(tx, opening))
    if policy:
        give_to_policy(incident, policy)
    if person:
        incident.is_quiet = False
    timeline.record(
        tx,
        incident,
        EventKind.OPENED,
        actor=actor,
        reason=reason,
        data={"priority": incident.priority.value, "is_quiet": incident.is_quiet},
    )
    if person:
        changes = await climbs.begin_asking(tx, incident, person, actor=actor)
    else:
        changes = await climbs.begin(tx, [incident])
    await insert_incidents(tx, [incident])
    await changes.write(tx)
    return incident.id
