"""Let a climb go on at once when no channel took the page of its present level.

When it cannot go on, because none took the page about its end either, the fallback contact is told.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import aliased

from incident_service import jobs
from incident_service.core.db import Transactions, Tx
from incident_service.core.due import DueRows
from incident_service.escalation.models import EscalationJob, TimerKind
from incident_service.escalation.queries import IS_PENDING
from incident_service.incidents import timeline
from incident_service.incidents.lifecycle import Status
from incident_service.incidents.locks import lock
from incident_service.incidents.models import Incident
from incident_service.incidents.timeline import EventKind
from incident_service.notifications.models import (
    CancelReason,
    Notification,
    NotificationKind,
    NotificationStatus,
    Page,
)
from incident_service.notifications.otherwise import tell_fallback
from incident_service.notifications.reached import PATIENCE, Attempted, reached_nobody

NO_CHANNEL = "no channel took its page"
NO_MANAGER = "nobody took the page that says that nobody answers"
# The steps that tell the managers instead of a level.
ENDS = ("exhausted", "nobody", "reminded")


def unreached_levels(transactions: Transactions) -> DueRows:
    """Return the incidents whose level may have reached nobody, for the reconciler."""
    return DueRows("unreached_levels", transactions, find_untaken, go_on, next_due=not_known)


async def not_known(_tx: Tx) -> datetime | None:
    """A look every few seconds is punctual enough after two minutes."""
    return None


async def find_untaken(tx: Tx, resting: Collection[UUID], limit: int) -> Sequence[UUID]:
    """Return incidents whose level no channel has taken for two minutes, without locking them.

    `go_on` locks and looks again. Those whose next step is due anyway are left to it.
    """
    taken = aliased(Notification)
    rows = await tx.session.scalars(
        select(Incident.id)
        .join(Notification, of_present_level(Notification))
        .join(Page, Page.id == Notification.page_id)
        .join(EscalationJob, EscalationJob.incident_id == Incident.id)
        .where(
            Incident.status == Status.OPEN,
            Incident.id.not_in(resting),
            Notification.status == NotificationStatus.SENDING,
            Page.created_at <= tx.now - PATIENCE,
            EscalationJob.kind == TimerKind.STEP,
            EscalationJob.scheduled_for > tx.now,
            *IS_PENDING,
            ~exists().where(of_present_level(taken), taken.status == NotificationStatus.SENT),
        )
        .distinct()
        .limit(limit)
    )
    return rows.all()


def of_present_level(notification: type[Notification]) -> ColumnElement[bool]:
    """Hold for the pages to people of the level that the incident's climb has come to."""
    return and_(
        notification.incident_id == Incident.id,
        notification.kind == NotificationKind.PAGE,
        notification.user_id.is_not(None),
        notification.epoch == Incident.escalation_epoch,
        notification.level == Incident.current_level,
        notification.repeat == Incident.current_repeat,
    )


async def go_on(tx: Tx, incident_ids: Collection[UUID]) -> int:
    """Bring the next step forward to now, of those of the incidents whose level reached nobody.

    Returns how many these were. Where it was the climb's end that reached nobody, there is no next
    step: the fallback contact is told.
    """
    incidents = await lock(tx.session, incident_ids)
    steps = await lock_steps(tx, incidents.keys())
    levels = await load_levels(tx, incidents.keys())
    unreached = [
        (incident, steps[incident.id])
        for incident in incidents.values()
        if incident.status is Status.OPEN
        and incident.id in steps
        and reached_nobody(levels.get(incident.id, ()), tx.now)
    ]
    for incident, step in unreached:
        step.scheduled_for = tx.now
        tx.withdraw(step.arq_job_id)
        tx.enqueue(jobs.run_timer(step.id, tx.now))
        at = {"repeat": incident.current_repeat, "level": incident.current_level}
        timeline.record(tx, incident, EventKind.LEVEL_UNREACHED, reason=NO_CHANNEL, data=at)
    await tx.flush()
    unheard = await find_unheard(tx, incidents.keys())
    await tell_fallback(tx, [incidents[id_] for id_ in unheard], NO_MANAGER)
    return len(unreached)


async def find_unheard(tx: Tx, incident_ids: Collection[UUID]) -> Sequence[UUID]:
    """Return the incidents whose present climb told of its end, and every address has failed."""
    over = (NotificationStatus.FAILED, NotificationStatus.CANCELLED)
    other = aliased(Notification)
    rows = await tx.session.scalars(
        select(Incident.id)
        .join(EscalationJob, EscalationJob.incident_id == Incident.id)
        .join(Notification, Notification.escalation_job_id == EscalationJob.id)
        .where(
            Incident.id.in_(incident_ids),
            EscalationJob.epoch == Incident.escalation_epoch,
            EscalationJob.outcome.in_(ENDS),
            or_(
                Notification.status == NotificationStatus.FAILED,
                Notification.cancelled_because == CancelReason.INACTIVE,
            ),
            ~exists().where(other.escalation_job_id == EscalationJob.id, other.status.not_in(over)),
        )
        .distinct()
        .order_by(Incident.id)
    )
    return rows.all()


async def lock_steps(tx: Tx, incident_ids: Collection[UUID]) -> dict[UUID, EscalationJob]:
    """Lock the steps that locked incidents wait for; those that are due anyway are left out."""
    rows = await tx.session.scalars(
        select(EscalationJob)
        .where(
            EscalationJob.incident_id.in_(incident_ids),
            EscalationJob.kind == TimerKind.STEP,
            EscalationJob.scheduled_for > tx.now,
            *IS_PENDING,
        )
        .order_by(EscalationJob.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return {row.incident_id: row for row in rows}


async def load_levels(tx: Tx, incident_ids: Collection[UUID]) -> dict[UUID, list[Attempted]]:
    """Return how the pages of each incident's present level stand.

    A page to somebody who was made inactive will never come: it counts as failed.
    """
    rows = await tx.session.execute(
        select(
            Incident.id,
            Notification.status,
            Notification.cancelled_because,
            Page.created_at,
        )
        .join(Notification, of_present_level(Notification))
        .outerjoin(Page, Page.id == Notification.page_id)
        .where(Incident.id.in_(incident_ids))
    )
    levels: dict[UUID, list[Attempted]] = defaultdict(list)
    for row in rows:
        has_left = row.cancelled_because is CancelReason.INACTIVE
        status = NotificationStatus.FAILED if has_left else row.status
        levels[row.id].append(Attempted(status, row.created_at))
    return levels
