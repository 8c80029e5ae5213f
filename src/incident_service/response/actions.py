"""What people and programs do to an incident. Each verb locks it, decides, applies."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, select

from incident_service.core.actor import Actor
from incident_service.core.db import Tx
from incident_service.core.errors import Conflict, Forbidden, Invalid
from incident_service.escalation import actions as climbs
from incident_service.incidents import lifecycle, timeline
from incident_service.incidents.lifecycle import Status, Verb
from incident_service.incidents.locks import lock
from incident_service.incidents.models import Incident
from incident_service.incidents.queries import IncidentNotFound
from incident_service.incidents.timeline import EventKind
from incident_service.response.reopening import reopen_incidents
from incident_service.response.updates import tell_those_paged
from incident_service.teams.auth import Principal
from incident_service.teams.models import User
from incident_service.web.preconditions import Condition, Tag


class ClimbHasMoved(Conflict):
    """The incident is no longer at the level you saw; look again before you escalate."""


class KeyIsActiveAgain(Conflict):
    """A newer incident of the same alerts is active; work on that one."""


class ActsForOnePerson(Forbidden):
    """This key acts for one person; leave `user_id` out."""


class UserUnknown(Invalid):
    """There is no such active user."""


@dataclass(frozen=True, slots=True)
class Order:
    """Who wants what of which incident, and why; `seen`: only if it is as they saw it."""

    incident_id: UUID
    principal: Principal
    user_id: UUID | None = None
    reason: str | None = None
    seen: Condition | None = None

    def require_seen(self, incident: Incident) -> None:
        """Refuse to touch a locked incident of which the caller has not seen the last event.

        Raises:
            PreconditionFailed: something has happened since.
        """
        if self.seen is not None:
            self.seen.require(Tag(str(incident.event_count)))


@dataclass(frozen=True, slots=True)
class Done:
    """The incident after a verb; `changed` is False when it was already so."""

    incident: Incident
    changed: bool


async def locked(tx: Tx, order: Order) -> tuple[Incident, Actor]:
    """Lock the incident and name who acts on it.

    Raises:
        IncidentNotFound: it does not exist for this caller.
        RoleTooLow: the person behind the key may not do this in the team.
        ActsForOnePerson, UserUnknown: see `actor_of`.
        PreconditionFailed: see `Order.require_seen`.
    """
    actor = await actor_of(tx, order.principal, order.user_id)
    incident = (await lock(tx.session, [order.incident_id])).get(order.incident_id)
    if incident is None or not order.principal.sees(incident.team_id):
        raise IncidentNotFound
    order.principal.require_role(incident.team_id)
    order.require_seen(incident)
    return incident, actor


async def actor_of(tx: Tx, principal: Principal, user_id: UUID | None) -> Actor:
    """Return the named person, or the key's own person, or the key.

    Raises:
        ActsForOnePerson: a person's key names somebody else.
        UserUnknown: the named user does not exist.
    """
    if user_id is None:
        return principal.actor
    if principal.roles is not None and user_id != principal.user_id:
        raise ActsForOnePerson
    user = await tx.session.get(User, user_id)
    if user is None or not user.is_active:
        raise UserUnknown("There is no active user with this id.", "/user_id")
    return Actor("user", user.id, user.name)


async def acknowledge(tx: Tx, order: Order) -> Done:
    """Take the incident: its climb stops, and it is assigned to the person who acts.

    A second acknowledge keeps the first.
    """
    incident, actor = await locked(tx, order)
    if lifecycle.change(incident.status, Verb.ACKNOWLEDGE) is None:
        return Done(incident, changed=False)
    await take(tx, [incident], actor, order.reason)
    return Done(incident, changed=True)


async def take(
    tx: Tx, incidents: Sequence[Incident], actor: Actor, reason: str | None = None
) -> None:
    """Acknowledge open incidents, all of which the caller has locked."""
    for incident in incidents:
        incident.status = lifecycle.change(incident.status, Verb.ACKNOWLEDGE) or incident.status
        incident.acknowledged_at = tx.now
        incident.acknowledged_priority = incident.priority
        incident.assigned_user_id = actor.id if actor.type == "user" else None
        incident.snoozed_until = None
        timeline.record(tx, incident, EventKind.ACKNOWLEDGED, actor=actor, reason=reason)
    await climbs.stop(tx, incidents)
    await climbs.wait_for_acknowledged(tx, incidents)
    await tell_those_paged(tx, incidents, what="acknowledged", actor=actor)


async def unacknowledge(tx: Tx, order: Order) -> Done:
    """Give the incident back: its current level is paged again at once."""
    incident, actor = await locked(tx, order)
    status = lifecycle.change(incident.status, Verb.UNACKNOWLEDGE)
    if status is None:
        return Done(incident, changed=False)
    incident.status = status
    incident.forget_acknowledge()
    timeline.record(tx, incident, EventKind.UNACKNOWLEDGED, actor=actor, reason=order.reason)
    await climbs.resume(tx, [incident])
    return Done(incident, changed=True)


async def resolve(tx: Tx, order: Order, *, until_clear: bool = False) -> Done:
    """End the incident, whatever its alerts say.

    Alerts that go on firing are not believed for five minutes, then open a new incident; with
    `until_clear` they are not believed until they have been resolved once.
    """
    incident, actor = await locked(tx, order)
    if lifecycle.change(incident.status, Verb.RESOLVE) is None:
        return Done(incident, changed=False)
    await end(tx, [incident], actor, order.reason, until_clear=until_clear)
    return Done(incident, changed=True)


async def end(
    tx: Tx,
    incidents: Sequence[Incident],
    actor: Actor,
    reason: str | None = None,
    *,
    until_clear: bool = False,
) -> None:
    """Resolve active incidents, all of which the caller has locked."""
    for incident in incidents:
        incident.status = lifecycle.change(incident.status, Verb.RESOLVE) or incident.status
        incident.resolved_at = tx.now
        incident.resolved_by = f"{actor.type}:{actor.name}"
        incident.resolved_until_clear = until_clear
        incident.snoozed_until = None
        timeline.record(
            tx,
            incident,
            EventKind.RESOLVED,
            actor=actor,
            reason=reason,
            data={"until_clear": until_clear},
        )
    await climbs.stop(tx, incidents)
    await tell_those_paged(tx, incidents, what="resolved", actor=actor)


async def close(tx: Tx, order: Order) -> Done:
    """File a resolved incident; nothing leads out of that."""
    incident, actor = await locked(tx, order)
    status = lifecycle.change(incident.status, Verb.CLOSE)
    if status is None:
        return Done(incident, changed=False)
    incident.status = status
    incident.closed_at = tx.now
    timeline.record(tx, incident, EventKind.CLOSED, actor=actor, reason=order.reason)
    await tx.flush()
    return Done(incident, changed=True)


async def reopen(tx: Tx, order: Order) -> Done:
    """Bring a resolved incident back.

    Raises:
        KeyIsActiveAgain: its alerts have opened another incident meanwhile.
    """
    incident, actor = await locked(tx, order)
    if incident.status is Status.OPEN:
        return Done(incident, changed=False)
    lifecycle.change(incident.status, Verb.REOPEN)
    if await is_key_active(tx, incident):
        raise KeyIsActiveAgain
    await reopen_incidents(tx, [incident], {incident.id: actor}, reason=order.reason)
    return Done(incident, changed=True)


async def is_key_active(tx: Tx, incident: Incident) -> bool:
    """Say whether another incident of the same key is active."""
    found = await tx.session.scalar(
        select(
            exists().where(
                Incident.service_id == incident.service_id,
                Incident.fingerprint == incident.fingerprint,
                Incident.status.in_([Status.OPEN, Status.ACKNOWLEDGED]),
                Incident.id != incident.id,
            )
        )
    )
    return bool(found)


async def snooze(tx: Tx, order: Order, until: datetime) -> Done:
    """Hold the climb of an open incident until an instant; then its level is paged again.

    Another instant takes the place of the one before.

    Raises:
        Invalid: the instant is past.
    """
    if until <= tx.now:
        raise Invalid("Give an instant in the future.", "/until")
    incident, actor = await locked(tx, order)
    lifecycle.change(incident.status, Verb.SNOOZE)
    if incident.snoozed_until == until:
        return Done(incident, changed=False)
    incident.snoozed_until = until
    timeline.record(
        tx,
        incident,
        EventKind.SNOOZED,
        actor=actor,
        reason=order.reason,
        data={"until": until.isoformat()},
    )
    await climbs.wait_until(tx, incident, until)
    return Done(incident, changed=True)


async def escalate(
    tx: Tx, order: Order, *, seen_level: int, seen_repeat: int, seen_epoch: int | None = None
) -> Done:
    """Page the next level now, if the incident is still at the level the caller saw.

    With `seen_epoch`, also only if the climb is still the one that the caller saw.

    Raises:
        ClimbHasMoved: it is not.
        ClimbAtItsEnd: there is no next level.
    """
    incident, actor = await locked(tx, order)
    status = lifecycle.change(incident.status, Verb.ESCALATE)
    if (seen_repeat, seen_level) != (incident.current_repeat, incident.current_level):
        raise ClimbHasMoved
    if seen_epoch not in (None, incident.escalation_epoch):
        raise ClimbHasMoved
    begin_again(incident, status)
    timeline.record(tx, incident, EventKind.ESCALATED, actor=actor, reason=order.reason)
    await climbs.escalate(tx, incident)
    return Done(incident, changed=True)


async def restart(tx: Tx, order: Order, *, seen_epoch: int | None = None) -> Done:
    """Begin at level 1 with a fresh copy of the policy.

    A climb that is not the one that the caller saw has begun anew already: it is left alone.
    """
    incident, actor = await locked(tx, order)
    status = lifecycle.change(incident.status, Verb.ESCALATE)
    if seen_epoch is not None and incident.escalation_epoch != seen_epoch:
        return Done(incident, changed=False)
    begin_again(incident, status)
    timeline.record(
        tx,
        incident,
        EventKind.RESTARTED,
        actor=actor,
        reason=order.reason,
        data={"asked_for": True},
    )
    await climbs.start(tx, [incident], in_maintenance=True)
    return Done(incident, changed=True)


async def restart_on_policy(tx: Tx, policy_id: UUID, by: Principal) -> int:
    """Begin at level 1 wherever the policy is being climbed, and return in how many incidents.

    What is acknowledged, snoozed, held by maintenance or quiet stays as it is: nobody is woken by
    an edit.
    """
    climbing = (
        Incident.escalation_policy_id == policy_id,
        Incident.status == Status.OPEN,
        Incident.snoozed_until.is_(None),
        Incident.maintenance_window_id.is_(None),
        ~Incident.is_quiet,
    )
    ids = (await tx.session.scalars(select(Incident.id).where(*climbing))).all()
    found = (await lock(tx.session, ids)).values()
    incidents = [
        incident
        for incident in found
        if incident.status is Status.OPEN
        and incident.snoozed_until is None
        and incident.maintenance_window_id is None
    ]
    for incident in incidents:
        timeline.record(
            tx, incident, EventKind.RESTARTED, actor=by.actor, reason="its policy was changed"
        )
    await climbs.start(tx, incidents)
    return len(incidents)


def begin_again(incident: Incident, status: Status | None) -> None:
    """Make the incident one that climbs: open, unassigned, neither snoozed nor quiet."""
    incident.status = status or Status.OPEN
    incident.forget_acknowledge()
    incident.snoozed_until = None
    incident.is_quiet = False
