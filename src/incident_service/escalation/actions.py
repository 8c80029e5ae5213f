"""Start, go on, hold and stop climbs.

Incidents given here are locked by the caller. Quiet ones never climb: they are passed over. Those
that a maintenance window covers wait for its end instead of paging, unless `in_maintenance` says
that somebody asks for it all the same.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import distinct_on

from incident_service.core.actor import Actor
from incident_service.core.db import Tx
from incident_service.core.errors import Conflict
from incident_service.escalation import holding, queries, steps
from incident_service.escalation.changes import Changes
from incident_service.escalation.climb import Climb, ask_person, climb
from incident_service.escalation.holding import Holds
from incident_service.escalation.models import EscalationJob, TimerKind
from incident_service.escalation.plans import copy_plans
from incident_service.escalation.steps import FIRST, Position
from incident_service.incidents import timeline
from incident_service.incidents.models import Incident
from incident_service.incidents.timeline import EventKind
from incident_service.notifications import actions as notifications
from incident_service.policies.plan import Plan
from incident_service.policies.targets import Person


class ClimbAtItsEnd(Conflict):
    """The policy has run out; ask for `restart` to begin again at level 1."""


async def start(tx: Tx, incidents: Sequence[Incident], *, in_maintenance: bool = False) -> None:
    """Begin at level 1 in a new epoch, with a fresh copy of the policy; page at once."""
    await stop(tx, incidents)
    climbing = [incident for incident in incidents if not incident.is_quiet]
    await take_steps(tx, await first_steps(tx, climbing), in_maintenance=in_maintenance)


async def begin(tx: Tx, incidents: Sequence[Incident]) -> Changes:
    """Take the first step of incidents that are about to be stored; the caller writes the changes.

    Nothing has to be stopped, and nobody can work on them yet.
    """
    climbing = [incident for incident in incidents if not incident.is_quiet]
    changes = Changes.of(tx)
    first = await first_steps(tx, climbing)
    await climb(tx, changes, await holding.leave_free(tx, changes, first))
    return changes


async def first_steps(tx: Tx, incidents: Sequence[Incident]) -> list[Climb]:
    """Put incidents at the foot of a fresh copy of their policy, in a new epoch."""
    await copy_plans(tx, incidents)
    for incident in incidents:
        incident.current_repeat, incident.current_level = 1, 0
        begin_epoch(incident)
    return [Climb(incident, FIRST) for incident in incidents]


async def ask(tx: Tx, incident: Incident, person: Person, *, actor: Actor) -> None:
    """Page one person instead of a level, in a new epoch.

    When the person does not answer within the time of the level that was paged last, that level
    is paged again, and the climb goes on from there.
    """
    await stop(tx, [incident])
    changes = await begin_asking(tx, incident, person, actor=actor)
    await changes.write(tx)


async def begin_asking(tx: Tx, incident: Incident, person: Person, *, actor: Actor) -> Changes:
    """Page one person about an incident that waits for no timer; the caller writes the changes."""
    if not incident.current_level:
        await copy_plans(tx, [incident])
        incident.current_repeat = 1
    begin_epoch(incident)
    changes = Changes.of(tx)
    ask_person(tx, changes, incident, person, current(incident), actor)
    return changes


async def resume(tx: Tx, incidents: Sequence[Incident], *, in_maintenance: bool = False) -> None:
    """Page the current level again at once, in a new epoch, on the same plan.

    Climbs that have not come to any level begin anew.
    """
    await stop(tx, incidents)
    climbing = [item for item in incidents if not item.is_quiet and item.current_level]
    for incident in climbing:
        begin_epoch(incident)
    again = [Climb(incident, current(incident)) for incident in climbing]
    await take_steps(tx, again, in_maintenance=in_maintenance)
    anew = [incident for incident in incidents if not incident.current_level]
    await start(tx, anew, in_maintenance=in_maintenance)


async def take_steps(tx: Tx, climbs: Sequence[Climb], *, in_maintenance: bool) -> None:
    """Run steps that are due now and have no row of their own."""
    changes = Changes.of(tx)
    free = climbs if in_maintenance else await holding.leave_free(tx, changes, climbs)
    await climb(tx, changes, free)
    await changes.write(tx)


def begin_epoch(incident: Incident) -> None:
    """Make every older timer and page of the incident stale."""
    incident.escalation_epoch += 1
    incident.exhausted_at = None


def current(incident: Incident) -> Position:
    """Return the position told last, or the first when none was."""
    return Position(max(incident.current_repeat, 1), max(incident.current_level, 1))


async def go_on(tx: Tx, incidents: Sequence[Incident]) -> None:
    """Continue where the climb was stopped: same epoch, level, repeat and remaining time.

    Climbs that were not waiting for a step begin anew. Those whose page was taken back before it
    was sent page their level now: else nobody would hear of it until the next level's time.
    """
    stopped = await last_stopped_steps(tx, [incident.id for incident in incidents])
    untold = await queries.untold_at_level(tx.session, incidents)
    holds = await holding.find_holds(tx, [item for item in incidents if not item.is_quiet])
    changes = Changes.of(tx)
    anew = []
    for incident in incidents:
        if incident.id in holds:
            holding.hold(tx, changes, incident, current(incident), holds[incident.id])
            continue
        if incident.is_quiet or incident.id in untold:
            continue
        row = stopped.get(incident.id)
        if row is None or row.epoch != incident.escalation_epoch or row.cancelled_at is None:
            anew.append(incident)
            continue
        remaining = max(row.scheduled_for - row.cancelled_at, timedelta(0))
        at = Position(row.scheduled_repeat, row.scheduled_level)
        changes.add_pending(incident, TimerKind.STEP, at, tx.now + remaining)
    await changes.write(tx)
    await start(tx, anew)
    await resume(tx, [item for item in incidents if item.id in untold and item.id not in holds])


async def last_stopped_steps(tx: Tx, incident_ids: Collection[UUID]) -> dict[UUID, EscalationJob]:
    """Return the timer that was cancelled last, for incidents where that was a step."""
    rows = await tx.session.scalars(
        select(EscalationJob)
        .ext(distinct_on(EscalationJob.incident_id))
        .where(EscalationJob.incident_id.in_(incident_ids))
        .order_by(EscalationJob.incident_id, EscalationJob.id.desc())
    )
    return {row.incident_id: row for row in rows if row.kind is TimerKind.STEP}


async def escalate(tx: Tx, incident: Incident) -> None:
    """Page the next level now instead of when its time comes; the first, when none was paged.

    Raises:
        ClimbAtItsEnd: there is no next level.
    """
    if not incident.current_level:
        await start(tx, [incident], in_maintenance=True)
        return
    plan = Plan.from_json(incident.escalation_plan)
    due = steps.following(plan, current(incident))
    if due == steps.exhaustion(plan):
        raise ClimbAtItsEnd
    await stop(tx, [incident])
    if await queries.has_run(tx.session, incident, due):
        begin_epoch(incident)  # the climb came past it when nobody there could be paged
    await take_steps(tx, [Climb(incident, due)], in_maintenance=True)


async def stop(tx: Tx, incidents: Sequence[Incident]) -> None:
    """Let the incidents wait for nothing, and take back what was not yet handed to a channel."""
    for incident in incidents:
        incident.maintenance_window_id = None
    await cancel_pending(tx, incidents)


async def cancel_pending(tx: Tx, incidents: Sequence[Incident]) -> None:
    """Cancel the pending timers and whatever was not yet handed to a channel.

    The rows are what stops the page; taking the arq jobs out after the commit only spares the
    worker a look at them.
    """
    ids = [incident.id for incident in incidents]
    if not ids:
        return
    await tx.flush()
    cancelled = await tx.session.execute(
        update(EscalationJob)
        .where(
            EscalationJob.incident_id.in_(ids),
            ~EscalationJob.completed,
            EscalationJob.cancelled_at.is_(None),
        )
        .values(cancelled_at=tx.now)
        .returning(EscalationJob.arq_job_id)
        .execution_options(synchronize_session=False)
    )
    for key in cancelled.scalars():
        tx.withdraw(key)
    await notifications.cancel(tx, ids)


async def wait_for_acknowledged(tx: Tx, incidents: Sequence[Incident]) -> None:
    """Set the timers that take acknowledged incidents back, where the policy has one.

    Those that were quiet until now have never climbed, so they get their copy of the policy here.
    """
    awaited = [incident for incident in incidents if not incident.is_quiet]
    if quiet_until_now := [incident for incident in awaited if not incident.escalation_epoch]:
        await copy_plans(tx, quiet_until_now)
    changes = Changes.of(tx)
    for incident in awaited:
        minutes = Plan.from_json(incident.escalation_plan).ack_timeout_minutes
        if minutes:
            due_at = tx.now + changes.minutes(minutes)
            changes.add_pending(incident, TimerKind.ACK_TIMEOUT, current(incident), due_at)
    await changes.write(tx)


async def wait_until(tx: Tx, incident: Incident, due_at: datetime) -> None:
    """Hold the climb until `due_at`; then its current level is paged again."""
    await stop(tx, [incident])
    changes = Changes.of(tx)
    changes.add_pending(incident, TimerKind.SNOOZE_END, current(incident), due_at)
    await changes.write(tx)


async def hold(tx: Tx, incidents: Sequence[Incident], holds: Holds) -> None:
    """Let the incidents that windows cover wait for their ends; the others stay as they are."""
    covered = [incident for incident in incidents if incident.id in holds]
    changes = Changes.of(tx)
    for incident in covered:
        holding.hold(tx, changes, incident, current(incident), holds[incident.id])
    await cancel_pending(tx, covered)
    await changes.write(tx)


async def look_again_at_held(tx: Tx, incidents: Sequence[Incident]) -> None:
    """Hold on by the windows as they are now; what none covers pages its level again at once."""
    holds = await holding.find_holds(tx, incidents)
    await hold(tx, incidents, holds)
    free = [incident for incident in incidents if incident.id not in holds]
    for incident in free:
        timeline.record(tx, incident, EventKind.MAINTENANCE_ENDED)
    await resume(tx, free, in_maintenance=True)
