"""Take one step of each climb: page a level, or tell that nobody could be or has been reached."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from incident_service.catalog.priority import Priority
from incident_service.core.actor import Actor
from incident_service.core.db import Tx
from incident_service.escalation import steps, telling
from incident_service.escalation.changes import Changes
from incident_service.escalation.models import EscalationJob, TimerKind
from incident_service.escalation.steps import Exhausted, NobodyToPage, Page, Position
from incident_service.escalation.telling import Because
from incident_service.incidents import timeline
from incident_service.incidents.models import Incident
from incident_service.incidents.timeline import EventKind
from incident_service.notifications.actions import Recipient, Request
from incident_service.notifications.models import NotificationKind
from incident_service.observability import metrics
from incident_service.policies.plan import Plan, Target
from incident_service.policies.targets import Person, Reach, load_reach

RECHECK_MINUTES = 5
# An exhausted incident that nobody is reminded of still has a timer, so that "OPEN has exactly
# one pending row" holds without exceptions.
UNREMINDED_MINUTES = 24 * 60
URGENT = (Priority.CRITICAL, Priority.HIGH)


@dataclass(frozen=True)
class Climb:
    """A step that is due: from its row, or without one when it is due at the start."""

    incident: Incident
    due: Position
    row: EscalationJob | None = None

    @cached_property
    def plan(self) -> Plan:
        """The plan that the incident follows."""
        return Plan.from_json(self.incident.escalation_plan)


async def reach_of(tx: Tx, climbs: Sequence[Climb]) -> Reach:
    """Read once who can be told about any of the incidents."""
    levels = {level for item in climbs for level in item.plan.levels}
    targets = {target for level in levels for target in level.targets}
    teams = {item.incident.team_id for item in climbs}
    return await load_reach(tx.session, teams, targets, tx.now)


async def climb(tx: Tx, changes: Changes, climbs: Sequence[Climb]) -> None:
    """Decide each step and apply it to the incident and to `changes`."""
    if not climbs:
        return
    reach = await reach_of(tx, climbs)
    for item in climbs:
        item.incident.assigned_user_id = None  # whoever was asked alone has not answered
        step = steps.next_step(item.plan, item.due, reachable_levels(item, reach))
        skip(tx, changes, item, step.skipped, reach)
        match step:
            case Page():
                page(tx, changes, item, step, reach)
            case Exhausted():
                exhaust(tx, changes, item, step, reach)
            case NobodyToPage():
                tell_somebody_else(tx, changes, item, step, reach)


def reachable_levels(item: Climb, reach: Reach) -> set[int]:
    """Return the numbers of the plan's levels that have somebody to page."""
    return {
        number
        for number, level in enumerate(item.plan.levels, start=1)
        if reach.meant_by(item.incident.team_id, level.targets)
    }


def skip(tx: Tx, changes: Changes, item: Climb, skipped: Sequence[Position], reach: Reach) -> None:
    """Execute passed-over levels: each has its own row, together they are one event."""
    for position in skipped:
        execute(changes, item, position, "skipped")
    if skipped:
        levels = {position.level for position in skipped}
        targets = [target for number in sorted(levels) for target in targets_of(item, number)]
        timeline.record(
            tx,
            item.incident,
            EventKind.LEVELS_SKIPPED,
            reason="nobody at these levels can be paged now",
            data={"levels": [as_json(position) for position in skipped]}
            | telling.passed_over(reach, item.incident.team_id, targets),
        )


def targets_of(item: Climb, level: int) -> tuple[Target, ...]:
    """Return whom a level of the plan tells."""
    return item.plan.levels[level - 1].targets


def execute(changes: Changes, item: Climb, position: Position, outcome: str) -> UUID:
    """Complete the due row when it stands for `position`; else add an executed one."""
    if item.row is not None and position == item.due:
        return changes.complete(item.row, outcome)
    return changes.add_executed(item.incident, position, outcome)


def page(tx: Tx, changes: Changes, item: Climb, step: Page, reach: Reach) -> None:
    """Notify everybody of the level and set the timer of the step that follows."""
    incident = item.incident
    targets = targets_of(item, step.at.level)
    because = telling.because_of(reach, incident.team_id, targets)
    people = reach.meant_by(incident.team_id, targets)
    channels = reach.channels_of(targets)
    due_at = tx.now + changes.minutes(step.wait_minutes)
    row_id = execute(changes, item, step.at, "paged")
    incident.current_repeat, incident.current_level = step.at.repeat, step.at.level
    incident.last_escalated_at = tx.now
    recipients = (*addresses_of(people), *(Recipient(None, channel.id) for channel in channels))
    changes.requests.append(request(incident, row_id, f"level {step.at.level}", recipients))
    changes.add_pending(incident, TimerKind.STEP, step.following, due_at)
    timeline.record(
        tx,
        incident,
        EventKind.PAGED,
        data=as_json(step.at)
        | {
            "users": telling.people(people, because),
            "next": as_json(step.following),
            "next_at": due_at.isoformat(),
        }
        | ({"next_is_end": True} if step.following == steps.exhaustion(item.plan) else {})
        | ({"channels": telling.channels(channels)} if channels else {})
        | telling.passed_over(reach, incident.team_id, targets)
        | lateness(tx, item),
    )


def ask_person(
    tx: Tx, changes: Changes, incident: Incident, person: Person, at: Position, actor: Actor
) -> None:
    """Page one person, and set the timer of the level that is paged when they do not answer."""
    levels = Plan.from_json(incident.escalation_plan).levels
    minutes = levels[at.level - 1].timeout_minutes if at.level <= len(levels) else RECHECK_MINUTES
    due_at = tx.now + changes.minutes(minutes)
    incident.assigned_user_id = person.id
    incident.last_escalated_at = tx.now
    reason = f"assigned to you by {actor.name}"
    changes.requests.append(request(incident, None, reason, addresses_of([person])))
    changes.add_pending(incident, TimerKind.STEP, at, due_at)
    timeline.record(
        tx,
        incident,
        EventKind.ASSIGNEE_PAGED,
        data={
            "users": telling.people([person], {}),
            "next": as_json(at),
            "next_at": due_at.isoformat(),
        },
    )


def lateness(tx: Tx, item: Climb) -> dict[str, float]:
    """Return how late the step is, for the timeline; a step without a row is never late."""
    if item.row is None:
        return {}
    return {"late_s": round(max((tx.now - item.row.scheduled_for).total_seconds(), 0.0), 3)}


def exhaust(tx: Tx, changes: Changes, item: Climb, step: Exhausted, reach: Reach) -> None:
    """The policy has run out: tell the managers, and keep a reminder running."""
    incident = item.incident
    row_id = execute(changes, item, step.at, "exhausted")
    incident.exhausted_at = tx.now
    told = tell_managers(changes, incident, row_id, "escalation exhausted", reach)
    add_reminder(changes, incident, step.at)
    tx.after_commit(metrics.EXHAUSTED.inc)
    timeline.record(tx, incident, EventKind.EXHAUSTED, data={"told": told} | lateness(tx, item))


def tell_somebody_else(
    tx: Tx, changes: Changes, item: Climb, step: NobodyToPage, reach: Reach
) -> None:
    """Nobody can be paged by the plan: tell the managers or the fallback contact, look again."""
    incident = item.incident
    row_id = execute(changes, item, step.at, "nobody")
    told = tell_managers(changes, incident, row_id, "nobody to page", reach)
    at = Position(max(incident.current_repeat, 1), incident.current_level)
    due_at = tx.now + changes.minutes(RECHECK_MINUTES)
    changes.add_pending(incident, TimerKind.RECHECK, at, due_at)
    tx.after_commit(metrics.NOBODY_TO_PAGE.inc)
    timeline.record(
        tx,
        incident,
        EventKind.NOBODY_TO_PAGE,
        reason="no active policy with a level" if not item.plan.levels else None,
        data={"told": told},
    )


def add_reminder(changes: Changes, incident: Incident, at: Position) -> None:
    """Set the timer of an exhausted incident."""
    minutes = reminder_minutes(incident) or UNREMINDED_MINUTES
    due_at = changes.now + changes.minutes(minutes)
    changes.add_pending(incident, TimerKind.REMINDER, at, due_at)


def reminder_minutes(incident: Incident) -> int | None:
    """Return how often people are told again that nobody has answered; None: never."""
    if incident.priority not in URGENT:
        return None
    return Plan.from_json(incident.escalation_plan).exhausted_reminder_minutes


def tell_managers(
    changes: Changes,
    incident: Incident,
    row_id: UUID,
    reason: str,
    reach: Reach,
    also: Sequence[Person] = (),
    because: Because | None = None,
) -> list[dict[str, Any]]:
    """Page the team's managers and `also`; when nobody is left, the fallback contact.

    Returns who was told, for the timeline, and why them: as managers, or as `because` says of
    `also`. It is empty when there is really nobody.
    """
    managers = reach.managers(incident.team_id)
    told = {person.id: person for person in (*managers, *also)}
    why = dict(because or {}) | {person.id: [telling.MANAGER] for person in managers}
    people = list(told.values())
    if people:
        incident.last_escalated_at = changes.now
        changes.requests.append(request(incident, row_id, reason, addresses_of(people)))
        return telling.people(people, why)
    if reach.fallback_contact_method_id is None:
        return []
    incident.last_escalated_at = changes.now
    fallback = (Recipient(None, reach.fallback_contact_method_id),)
    changes.requests.append(request(incident, row_id, reason, fallback))
    return [telling.FALLBACK]


def request(
    incident: Incident,
    row_id: UUID | None,
    reason: str,
    recipients: tuple[Recipient, ...],
) -> Request:
    """Ask for a page to `recipients`."""
    return Request(
        incident_id=incident.id,
        escalation_job_id=row_id,
        epoch=incident.escalation_epoch,
        kind=NotificationKind.PAGE,
        reason=reason,
        level=incident.current_level,
        repeat=incident.current_repeat,
        priority=incident.priority,
        recipients=recipients,
    )


def addresses_of(people: Sequence[Person]) -> tuple[Recipient, ...]:
    """Return every contact method of `people`."""
    return tuple(
        Recipient(person.id, method_id)
        for person in people
        for method_id in person.contact_method_ids
    )


def as_json(position: Position) -> dict[str, int]:
    """Return a position as the timeline shows it."""
    return {"repeat": position.repeat, "level": position.level}
