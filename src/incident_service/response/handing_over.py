"""Hand an incident to a person or to another policy."""

from uuid import UUID

from incident_service.core.actor import Actor
from incident_service.core.db import Tx
from incident_service.core.errors import Invalid
from incident_service.escalation import actions as climbs
from incident_service.incidents import lifecycle, timeline
from incident_service.incidents.lifecycle import Status, Verb
from incident_service.incidents.models import Incident
from incident_service.incidents.timeline import EventKind
from incident_service.policies.models import EscalationPolicy
from incident_service.policies.queries import get_policy
from incident_service.policies.targets import Person, load_people
from incident_service.response.actions import Done, Order, UserUnknown, begin_again, locked
from incident_service.response.updates import tell_person
from incident_service.teams.auth import Principal
from incident_service.teams.models import User


class PolicyInactive(Invalid):
    """This policy pages nobody; activate it first, or choose another."""


class PersonUnreachable(Invalid):
    """This person has no address that can be paged, so the incident would wait for nobody."""


async def reassign_to_policy(tx: Tx, order: Order, policy_id: UUID) -> Done:
    """Let another policy page for the incident from its level 1, and its team own the incident.

    One that is open, asks nobody in particular and is the policy's already stays as it is;
    `restart` begins again.

    Raises:
        EscalationPolicyNotFound, RoleTooLow: see `policies.queries.get_policy`.
        PolicyInactive: it would page nobody.
    """
    # The policy is locked before the incident, as an edit of it that restarts incidents does.
    policy = await get_active_policy(tx, policy_id, order.principal)
    incident, actor = await locked(tx, order)
    status = lifecycle.change(incident.status, Verb.REASSIGN)
    is_its = incident.escalation_policy_id == policy.id and incident.assigned_user_id is None
    if incident.status is Status.OPEN and is_its:
        return Done(incident, changed=False)
    before = str(incident.escalation_policy_id) if incident.escalation_policy_id else None
    former = incident.assigned_user_id
    give_to_policy(incident, policy)
    begin_again(incident, status)
    timeline.record(
        tx,
        incident,
        EventKind.REASSIGNED,
        actor=actor,
        reason=order.reason,
        data={"policy": {"id": str(policy.id), "name": policy.name}, "from": before},
    )
    await climbs.start(tx, [incident], in_maintenance=True)
    await tell_former(tx, incident, former, policy.name, actor)
    return Done(incident, changed=True)


async def tell_former(
    tx: Tx, incident: Incident, former: UUID | None, to: str, actor: Actor
) -> None:
    """Tell whoever had the incident, or was asked, that it is no longer theirs."""
    if former and former != actor.id:
        await tell_person(tx, incident, former, f"handed to {to} by {actor.name}")


async def get_active_policy(tx: Tx, policy_id: UUID, principal: Principal) -> EscalationPolicy:
    """Lock and return a policy that can page.

    Raises:
        EscalationPolicyNotFound, RoleTooLow: see `policies.queries.get_policy`.
        PolicyInactive: it would page nobody.
    """
    policy = await get_policy(tx.session, policy_id, principal, lock=True)
    if not policy.is_active:
        raise PolicyInactive("", "/escalation_policy_id")
    return policy


def give_to_policy(incident: Incident, policy: EscalationPolicy) -> None:
    """Let a policy page for the incident, and its team own it."""
    incident.escalation_policy_id = policy.id
    incident.team_id = policy.team_id


async def reassign_to_person(tx: Tx, order: Order, person_id: UUID) -> Done:
    """Ask one person alone: they are paged at once, and have to acknowledge like anybody.

    When they do not answer in the time of the present level, that level is paged again. Whoever
    has the incident, or is asked, already keeps it as it is.

    Raises:
        UserUnknown: there is no such active person.
        PersonUnreachable: nothing would reach them.
    """
    person = await get_reachable(tx, person_id)
    incident, actor = await locked(tx, order)
    status = lifecycle.change(incident.status, Verb.REASSIGN)
    if incident.assigned_user_id == person.id:
        return Done(incident, changed=False)
    former = incident.assigned_user_id
    begin_again(incident, status)
    timeline.record(
        tx,
        incident,
        EventKind.REASSIGNED,
        actor=actor,
        reason=order.reason,
        data={
            "user": {"id": str(person.id), "name": person.name},
            "from": str(former) if former else None,
        },
    )
    await climbs.ask(tx, incident, person, actor=actor)
    await tell_former(tx, incident, former, person.name, actor)
    return Done(incident, changed=True)


async def get_reachable(tx: Tx, person_id: UUID) -> Person:
    """Return somebody who can be paged.

    Raises:
        UserUnknown: there is no such active person.
        PersonUnreachable: nothing would reach them.
    """
    user = await tx.session.get(User, person_id)
    if user is None or not user.is_active:
        raise UserUnknown("There is no active user with this id.", "/assigned_user_id")
    person = (await load_people(tx.session, [person_id])).get(person_id)
    if person is None:
        raise PersonUnreachable("", "/assigned_user_id")
    return person
