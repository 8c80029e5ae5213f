"""What alerts do to incidents: open, join, reopen, resolve.

All verbs take sets. Incidents that are given are locked by the caller and their counts are
already brought up to date; `Overtaken` asks the caller to run its whole transaction again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from incident_service.catalog.models import Service
from incident_service.catalog.priority import Priority
from incident_service.core.actor import ALERTS, Actor
from incident_service.core.bulk import insert_rows
from incident_service.core.db import Overtaken, Tx
from incident_service.escalation import actions as climbs
from incident_service.incidents import lifecycle, timeline
from incident_service.incidents.lifecycle import Status, Verb
from incident_service.incidents.models import ACTIVE, Incident
from incident_service.incidents.timeline import EventKind
from incident_service.notifications import actions as notifications
from incident_service.notifications.models import NotificationKind
from incident_service.policies.plan import NO_PLAN
from incident_service.policies.targets import load_people
from incident_service.response.updates import tell_those_paged

LISTED_FINGERPRINTS = 20
UNLESS_ACTIVE = f"ON CONFLICT (service_id, fingerprint) WHERE {ACTIVE} DO NOTHING"
Actors = Mapping[UUID, Actor]
"""Whose alerts did something to each incident."""
OWN_COLUMNS = [each.name for each in Incident.__table__.columns if each.name != "number"]


@dataclass(frozen=True, slots=True)
class Arrival:
    """Alerts that meet an incident together: the new episodes of one key in one transaction."""

    fingerprints: tuple[str, ...]
    priority: Priority
    actor: Actor = ALERTS
    trace: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the form shown in the timeline."""
        return listed(self.fingerprints) | {"priority": self.priority.value}


def listed(fingerprints: Sequence[str]) -> dict[str, Any]:
    """Return the form shown in the timeline: a few fingerprints and how many there are."""
    return {
        "count": len(fingerprints),
        "fingerprints": list(fingerprints[:LISTED_FINGERPRINTS]),
    }


@dataclass(frozen=True, slots=True)
class Opening:
    """A new incident: everything that its first alerts say about it."""

    id: UUID
    service: Service
    fingerprint: str
    title: str
    labels: dict[str, str]
    annotations: dict[str, str]
    arrival: Arrival
    previous_incident_id: UUID | None = None


async def open_incidents(tx: Tx, openings: Sequence[Opening]) -> list[Incident]:
    """Open incidents, page level 1 of each at once, and return them in the order given.

    Raises:
        Overtaken: another transaction opened one of them first.
    """
    if not openings:
        return []
    incidents = [Incident(**opening_row(tx, item)) for item in openings]
    for incident, item in zip(incidents, openings, strict=True):
        if item.arrival.trace:
            tx.traces[incident.id] = item.arrival.trace
        timeline.record(
            tx,
            incident,
            EventKind.OPENED,
            actor=item.arrival.actor,
            data=item.arrival.as_json() | {"is_quiet": incident.is_quiet},
        )
    changes = await climbs.begin(tx, incidents)
    await insert_incidents(tx, incidents)
    await changes.write(tx)
    return incidents


async def insert_incidents(tx: Tx, incidents: Sequence[Incident]) -> None:
    """Store new incidents, as far as they have come.

    Raises:
        Overtaken: another transaction opened one of them first.
    """
    # Sorted, so that two transactions that open the same incidents wait instead of deadlocking.
    in_order = sorted(incidents, key=lambda each: (each.service_id, each.fingerprint))
    rows = [{name: getattr(each, name) for name in OWN_COLUMNS} for each in in_order]
    made = await insert_rows(tx.session, Incident, rows, otherwise=UNLESS_ACTIVE)
    if len(made) < len(rows):
        raise Overtaken


def opening_row(tx: Tx, item: Opening) -> dict[str, Any]:
    """Return the values of a new incident."""
    count = len(item.arrival.fingerprints)
    return {
        "id": item.id,
        "fingerprint": item.fingerprint,
        "service_id": item.service.id,
        "team_id": item.service.team_id,
        "escalation_plan": NO_PLAN.as_json(),
        "escalation_epoch": 0,
        "current_level": 0,
        "current_repeat": 1,
        "status": Status.OPEN,
        "priority": item.arrival.priority,
        "is_quiet": item.service.page_from.outranks(item.arrival.priority),
        "title": item.title,
        "labels": item.labels,
        "annotations": item.annotations,
        "alert_count": count,
        "firing_count": count,
        "flap_count": 0,
        "created_at": tx.now,
        "resolved_until_clear": False,
        "previous_incident_id": item.previous_incident_id,
        "event_count": 0,
        "version": 1,
    }


def joined(tx: Tx, incident: Incident, arrival: Arrival, service: Service) -> bool:
    """Note that alerts joined, and raise the priority if theirs is higher.

    Returns True when this ends the incident's quiet, so that its climb has to start.
    """
    by = arrival.actor
    timeline.record(tx, incident, EventKind.ALERTS_JOINED, actor=by, data=arrival.as_json())
    if arrival.priority.outranks(incident.priority):
        raised = {"from": incident.priority.value, "to": arrival.priority.value}
        incident.priority = arrival.priority
        timeline.record(tx, incident, EventKind.PRIORITY_RAISED, actor=by, data=raised)
    woken = incident.is_quiet and not service.page_from.outranks(incident.priority)
    if woken:
        incident.is_quiet = False
    return woken


async def restart(tx: Tx, incidents: Sequence[Incident], reason: str, actors: Actors) -> None:
    """Begin again at level 1, also from acknowledged: something made it new."""
    for incident in incidents:
        if incident.status is Status.ACKNOWLEDGED:
            incident.forget_acknowledge()
            incident.status = Status.OPEN
        incident.snoozed_until = None
        by = actors[incident.id]
        timeline.record(tx, incident, EventKind.RESTARTED, actor=by, reason=reason)
    await climbs.start(tx, incidents)


async def end_snooze(
    tx: Tx,
    incidents: Sequence[Incident],
    actors: Actors,
    *,
    reason: str = "a higher priority joined",
) -> None:
    """What has become more urgent is worth waking up for."""
    for incident in incidents:
        incident.snoozed_until = None
        by = actors[incident.id]
        timeline.record(tx, incident, EventKind.SNOOZE_ENDED, actor=by, reason=reason)
    if incidents:
        await climbs.resume(tx, incidents)


async def tell_assignees(tx: Tx, incidents: Sequence[Incident]) -> None:
    """Tell who has acknowledged that more alerts joined."""
    assigned = [incident for incident in incidents if incident.assigned_user_id]
    ids = {incident.assigned_user_id for incident in assigned if incident.assigned_user_id}
    people = await load_people(tx.session, ids) if ids else {}
    requests = []
    for incident in assigned:
        person = people.get(incident.assigned_user_id) if incident.assigned_user_id else None
        if person is None:
            continue
        incident.assignee_told_at = tx.now
        timeline.record(tx, incident, EventKind.ASSIGNEE_TOLD, data={"user": {"name": person.name}})
        recipients = [notifications.Recipient(person.id, id_) for id_ in person.contact_method_ids]
        requests.append(
            notifications.about(incident, NotificationKind.UPDATE, "more alerts joined", recipients)
        )
    await tx.flush()
    await notifications.request(tx, requests)


async def resolve_incidents(
    tx: Tx, incidents: Sequence[Incident], actors: Actors, *, reason: str | None = None
) -> None:
    """The last firing episode has ended: resolve, and stop the climbs."""
    for incident in incidents:
        incident.status = lifecycle.change(incident.status, Verb.RESOLVE) or incident.status
        incident.resolved_at = tx.now
        incident.resolved_by = "alerts"
        incident.resolved_until_clear = False
        incident.snoozed_until = None
        by = actors[incident.id]
        timeline.record(tx, incident, EventKind.RESOLVED, actor=by, reason=reason)
    await climbs.stop(tx, incidents)
    if incidents:
        await tell_those_paged(tx, incidents, what="resolved", actor=ALERTS)


def note_ended(
    tx: Tx,
    incident: Incident,
    fingerprints: Sequence[str],
    actor: Actor,
    *,
    reason: str | None = None,
) -> None:
    """Note that episodes ended while others of the incident still fire."""
    data = listed(fingerprints) | {"firing_count": incident.firing_count}
    kind = EventKind.ALERTS_RESOLVED
    timeline.record(tx, incident, kind, actor=actor, reason=reason, data=data)


def note_stale(tx: Tx, incident: Incident, fingerprints: Sequence[str]) -> None:
    """Note that the sender has not repeated episodes for as long as the service allows."""
    timeline.record(tx, incident, EventKind.ALERTS_STALE, data=listed(fingerprints))
