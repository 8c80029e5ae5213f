"""Give an incident another priority by hand."""

from incident_service.catalog.priority import Priority
from incident_service.catalog.queries import load_services
from incident_service.core.actor import Actor
from incident_service.core.db import Tx
from incident_service.escalation import actions as climbs
from incident_service.incidents import lifecycle, timeline
from incident_service.incidents.lifecycle import Status, Verb
from incident_service.incidents.models import Incident
from incident_service.incidents.timeline import EventKind
from incident_service.notifications.replanning import hasten
from incident_service.response.actions import Done, Order, locked
from incident_service.response.arrivals import end_snooze


async def change_priority(tx: Tx, order: Order, priority: Priority) -> Done:
    """Raise or lower the priority of an active incident.

    A raise does what a more urgent alert does to an open incident: it ends its quiet or its
    snooze, begins again where the policy has run out, and brings pages forward that people's
    rules have put off. One that is lowered below
    what its service pages for becomes quiet. Whoever has acknowledged keeps it.

    Raises:
        NotAllowedNow: it is over.
    """
    incident, actor = await locked(tx, order)
    lifecycle.change(incident.status, Verb.PRIORITIZE)
    before = incident.priority
    if priority is before:
        return Done(incident, changed=False)
    is_raised = priority.outranks(before)
    incident.priority = priority
    if incident.status is Status.ACKNOWLEDGED:
        incident.acknowledged_priority = priority  # whoever has it has it at this priority
    services = await load_services(tx.session, [incident.service_id])
    is_quiet = services[incident.service_id].page_from.outranks(priority)
    falls_silent = is_quiet and not incident.is_quiet
    timeline.record(
        tx,
        incident,
        EventKind.PRIORITY_RAISED if is_raised else EventKind.PRIORITY_LOWERED,
        actor=actor,
        reason=order.reason,
        data={"from": before.value, "to": priority.value}
        | ({"falls_silent": True} if falls_silent else {}),
    )
    if is_raised:
        await follow_raise(tx, incident, actor, is_quiet=is_quiet)
    else:
        await follow_fall(tx, incident, is_quiet=is_quiet)
    await tx.flush()
    return Done(incident, changed=True)


async def follow_raise(tx: Tx, incident: Incident, actor: Actor, *, is_quiet: bool) -> None:
    """Let people hear of it now, where they would have later or not at all."""
    is_woken = incident.is_quiet and not is_quiet
    incident.is_quiet = incident.is_quiet and is_quiet
    if incident.status is Status.ACKNOWLEDGED:
        if is_woken:
            await climbs.wait_for_acknowledged(tx, [incident])
        return
    if incident.snoozed_until is not None:
        await end_snooze(tx, [incident], {incident.id: actor}, reason="its priority was raised")
    elif incident.maintenance_window_id is not None:
        return
    elif is_woken:
        await climbs.start(tx, [incident])
    elif incident.exhausted_at is not None:
        reason = "its priority was raised after the policy had run out"
        timeline.record(tx, incident, EventKind.RESTARTED, actor=actor, reason=reason)
        await climbs.start(tx, [incident])
    await hasten(tx, [incident])


async def follow_fall(tx: Tx, incident: Incident, *, is_quiet: bool) -> None:
    """Let nobody be paged any more for what is not worth it; a snooze runs on."""
    if incident.is_quiet or not is_quiet:
        return
    incident.is_quiet = True
    incident.exhausted_at = None
    if incident.status is Status.OPEN:
        incident.assigned_user_id = None
    if incident.snoozed_until is None:
        await climbs.stop(tx, [incident])
