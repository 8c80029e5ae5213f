"""Run timers that are due. The arq job and the reconciler both end up here."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from incident_service.core.db import Tx
from incident_service.escalation import telling
from incident_service.escalation.actions import look_again_at_held, resume, start
from incident_service.escalation.changes import Changes
from incident_service.escalation.climb import (
    RECHECK_MINUTES,
    Climb,
    add_reminder,
    climb,
    reach_of,
    reachable_levels,
    reminder_minutes,
    tell_managers,
)
from incident_service.escalation.models import EscalationJob, TimerKind
from incident_service.escalation.plans import copy_plans
from incident_service.escalation.queries import incidents_of, told_in_epoch
from incident_service.escalation.steps import FIRST, Position
from incident_service.incidents import lifecycle, timeline
from incident_service.incidents.lifecycle import Status, Verb
from incident_service.incidents.locks import lock
from incident_service.incidents.models import Incident
from incident_service.incidents.timeline import EventKind
from incident_service.policies.plan import Plan

Due = tuple[Incident, EscalationJob]


@dataclass(frozen=True, slots=True)
class Ran:
    """How many timers ran, and when those are due that were asked for too early."""

    count: int
    early: dict[UUID, datetime]


async def run(tx: Tx, row_ids: Collection[UUID]) -> Ran:
    """Run those of the timers that are still pending and due.

    Every row takes effect once, however often and by whomever this is called: the incident and
    then the row are locked, and a row that is done, cancelled or of an older epoch does nothing.
    """
    incident_ids = await incidents_of(tx.session, row_ids)
    incidents = await lock(tx.session, incident_ids)
    rows = await lock_pending(tx.session, row_ids)
    due: list[Due] = []
    early: dict[UUID, datetime] = {}
    for row in rows:
        if row.scheduled_for > tx.now:
            early[row.id] = row.scheduled_for
            continue
        incident = incidents[row.incident_id]
        if is_overtaken(incident, row):
            row.cancelled_at = tx.now
            continue
        due.append((incident, row))
    await run_by_kind(tx, due)
    await tx.flush()
    return Ran(len(due), early)


async def lock_pending(session: AsyncSession, row_ids: Collection[UUID]) -> list[EscalationJob]:
    """Lock the rows that are still pending. Their incidents must be locked before."""
    rows = await session.scalars(
        select(EscalationJob)
        .where(
            EscalationJob.id.in_(row_ids),
            ~EscalationJob.completed,
            EscalationJob.cancelled_at.is_(None),
        )
        .order_by(EscalationJob.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return list(rows)


def is_overtaken(incident: Incident, row: EscalationJob) -> bool:
    """Say whether the incident has moved on since the timer was set."""
    awaited = Status.ACKNOWLEDGED if row.kind is TimerKind.ACK_TIMEOUT else Status.OPEN
    return incident.status is not awaited or row.epoch != incident.escalation_epoch


async def run_by_kind(tx: Tx, due: Sequence[Due]) -> None:
    """Hand each timer to what its kind asks for."""
    kinds: dict[TimerKind, list[Due]] = {kind: [] for kind in TimerKind}
    for incident, row in due:
        kinds[row.kind].append((incident, row))
    await run_steps(tx, kinds[TimerKind.STEP])
    await take_back(tx, kinds[TimerKind.ACK_TIMEOUT])
    await wake(tx, kinds[TimerKind.SNOOZE_END])
    await end_maintenance(tx, kinds[TimerKind.MAINTENANCE_END])
    await remind(tx, kinds[TimerKind.REMINDER])
    await look_again(tx, kinds[TimerKind.RECHECK])


async def run_steps(tx: Tx, due: Sequence[Due]) -> None:
    """Take the next step of each climb."""
    changes = Changes.of(tx)
    climbs = [
        Climb(incident, Position(row.scheduled_repeat, row.scheduled_level), row)
        for incident, row in due
    ]
    await climb(tx, changes, climbs)
    await changes.write(tx)


async def complete(tx: Tx, due: Sequence[Due], outcome: str) -> None:
    """Mark timers as executed, before what they start sets new ones."""
    changes = Changes.of(tx)
    for _, row in due:
        changes.complete(row, outcome)
    await changes.write(tx)


async def take_back(tx: Tx, due: Sequence[Due]) -> None:
    """An acknowledge went stale: the incident is open again, at the level where it was."""
    await complete(tx, due, "acknowledge_timed_out")
    for incident, _ in due:
        incident.status = lifecycle.change(incident.status, Verb.UNACKNOWLEDGE) or Status.OPEN
        incident.forget_acknowledge()
        timeline.record(tx, incident, EventKind.ACKNOWLEDGE_TIMED_OUT)
    await resume(tx, [incident for incident, _ in due])


async def wake(tx: Tx, due: Sequence[Due]) -> None:
    """A snooze is over: the climb goes on at its level."""
    await complete(tx, due, "snooze_ended")
    for incident, _ in due:
        incident.snoozed_until = None
        timeline.record(tx, incident, EventKind.SNOOZE_ENDED)
    await resume(tx, [incident for incident, _ in due])


async def end_maintenance(tx: Tx, due: Sequence[Due]) -> None:
    """The window is over that held the climb: another one holds it now, or it goes on."""
    await complete(tx, due, "maintenance_ended")
    await look_again_at_held(tx, [incident for incident, _ in due])


async def remind(tx: Tx, due: Sequence[Due]) -> None:
    """Tell the managers and the last level again about urgent exhausted incidents."""
    if not due:
        return
    changes = Changes.of(tx)
    reach = await reach_of(tx, [Climb(incident, FIRST) for incident, _ in due])
    for incident, row in due:
        plan = Plan.from_json(incident.escalation_plan)
        is_wanted = reminder_minutes(incident) is not None
        row_id = changes.complete(row, "reminded" if is_wanted else "unreminded")
        if is_wanted:
            targets = plan.levels[-1].targets
            told = tell_managers(
                changes,
                incident,
                row_id,
                "still unanswered",
                reach,
                also=reach.meant_by(incident.team_id, targets),
                because=telling.because_of(reach, incident.team_id, targets),
            )
            timeline.record(tx, incident, EventKind.REMINDED, data={"told": told})
        at = Position(row.scheduled_repeat, row.scheduled_level)
        add_reminder(changes, incident, at)
    await changes.write(tx)


async def look_again(tx: Tx, due: Sequence[Due]) -> None:
    """Nobody could be paged before: start over for those where somebody can be paged now."""
    if not due:
        return
    changes = Changes.of(tx)
    incidents = [incident for incident, _ in due]
    await copy_plans(tx, incidents)
    reach = await reach_of(tx, [Climb(incident, FIRST) for incident in incidents])
    told = await told_in_epoch(tx.session, incidents)
    anew: list[Incident] = []
    for incident, row in due:
        if reachable_levels(Climb(incident, FIRST), reach):
            changes.complete(row, "somebody_found")
            anew.append(incident)
            continue
        row_id = changes.complete(row, "nobody")
        if incident.id not in told or is_due_again(tx, incident):
            names = tell_managers(changes, incident, row_id, "nobody to page", reach)
            if names:
                timeline.record(tx, incident, EventKind.NOBODY_TO_PAGE, data={"told": names})
        at = Position(row.scheduled_repeat, row.scheduled_level)
        due_at = tx.now + changes.minutes(RECHECK_MINUTES)
        changes.add_pending(incident, TimerKind.RECHECK, at, due_at)
    await changes.write(tx)
    await start(tx, anew)


def is_due_again(tx: Tx, incident: Incident) -> bool:
    """Say whether an urgent incident that only managers know of should be told again."""
    minutes = reminder_minutes(incident)
    if minutes is None or incident.last_escalated_at is None:
        return False
    return tx.now >= incident.last_escalated_at + tx.minute * minutes
