"""Reads of timers."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from incident_service.escalation.models import EscalationJob, TimerKind
from incident_service.escalation.steps import Position
from incident_service.incidents.models import Incident
from incident_service.notifications.models import (
    Notification,
    NotificationKind,
    NotificationStatus,
)
from incident_service.web.lists.pagination import PageQuery, fetch_page

IS_PENDING = (~EscalationJob.completed, EscalationJob.cancelled_at.is_(None))


async def incidents_of(session: AsyncSession, row_ids: Collection[UUID]) -> set[UUID]:
    """Return the incidents that the timers belong to, without locking anything."""
    return set(
        await session.scalars(
            select(EscalationJob.incident_id).where(EscalationJob.id.in_(row_ids))
        )
    )


async def overdue(
    session: AsyncSession, due_before: datetime, limit: int, *, without: Collection[UUID] = ()
) -> list[UUID]:
    """Return timers that should have run before `due_before`, and lock their incidents.

    Incidents that somebody else works on are passed over, so nothing here ever waits: locking
    the timers first would deadlock with an acknowledge.
    """
    rows = await session.scalars(
        select(EscalationJob.id)
        .join(Incident, Incident.id == EscalationJob.incident_id)
        .where(
            EscalationJob.scheduled_for <= due_before,
            *IS_PENDING,
            EscalationJob.id.not_in(without),
        )
        .order_by(EscalationJob.scheduled_for)
        .limit(limit)
        .with_for_update(of=Incident, skip_locked=True)
    )
    return list(rows)


async def oldest_overdue(session: AsyncSession, due_before: datetime) -> datetime | None:
    """Return when the timer was due that has waited longest, of those due before `due_before`."""
    found: datetime | None = await session.scalar(
        select(func.min(EscalationJob.scheduled_for)).where(
            EscalationJob.scheduled_for <= due_before, *IS_PENDING
        )
    )
    return found


async def next_due(session: AsyncSession, after: datetime) -> datetime | None:
    """Return when the next timer is due, of those due after an instant."""
    found: datetime | None = await session.scalar(
        select(func.min(EscalationJob.scheduled_for)).where(
            EscalationJob.scheduled_for > after, *IS_PENDING
        )
    )
    return found


async def count_with_nobody_to_page(session: AsyncSession) -> int:
    """Count the incidents that wait for their policy to name somebody who can be paged."""
    found = await session.scalar(
        select(func.count())
        .select_from(EscalationJob)
        .where(EscalationJob.kind == TimerKind.RECHECK, *IS_PENDING)
    )
    return found or 0


async def pending(
    session: AsyncSession, until: datetime, *, after: tuple[datetime, UUID] | None, limit: int
) -> list[tuple[datetime, UUID]]:
    """Return the due times and ids of pending timers, in order; `after` is the last one seen."""
    place = tuple_(EscalationJob.scheduled_for, EscalationJob.id)
    statement = select(EscalationJob.scheduled_for, EscalationJob.id).where(
        EscalationJob.scheduled_for <= until, *IS_PENDING
    )
    if after is not None:
        # The first condition is implied; it is what lets the index begin there.
        statement = statement.where(EscalationJob.scheduled_for >= after[0], place > tuple_(*after))
    rows = await session.execute(statement.order_by(place).limit(limit))
    return [(row.scheduled_for, row.id) for row in rows]


async def has_run(session: AsyncSession, incident: Incident, at: Position) -> bool:
    """Say whether a step took effect, or was passed over, in the incident's present epoch."""
    found = await session.scalar(
        select(
            select(EscalationJob.id)
            .where(
                EscalationJob.incident_id == incident.id,
                EscalationJob.epoch == incident.escalation_epoch,
                EscalationJob.kind == TimerKind.STEP,
                EscalationJob.scheduled_repeat == at.repeat,
                EscalationJob.scheduled_level == at.level,
                EscalationJob.completed,
            )
            .exists()
        )
    )
    return bool(found)


async def untold_at_level(session: AsyncSession, incidents: Sequence[Incident]) -> set[UUID]:
    """Return those of the incidents whose last level heard nothing: its pages were taken back.

    A team's channel is nobody who would answer.
    """
    rows = await session.execute(
        select(
            Notification.incident_id,
            func.bool_and(Notification.status == NotificationStatus.CANCELLED).label("untold"),
        )
        .join(Incident, Incident.id == Notification.incident_id)
        .where(
            Incident.id.in_([incident.id for incident in incidents]),
            Notification.kind == NotificationKind.PAGE,
            Notification.user_id.is_not(None),
            Notification.epoch == Incident.escalation_epoch,
            Notification.repeat == Incident.current_repeat,
            Notification.level == Incident.current_level,
        )
        .group_by(Notification.incident_id)
    )
    return {row.incident_id for row in rows if row.untold}


async def told_in_epoch(session: AsyncSession, incidents: Sequence[Incident]) -> set[UUID]:
    """Return those of the incidents that somebody was told of in their current epoch."""
    rows = await session.scalars(
        select(Incident.id).where(
            Incident.id.in_([incident.id for incident in incidents]),
            select(Notification.id)
            .where(
                Notification.incident_id == Incident.id,
                Notification.epoch == Incident.escalation_epoch,
            )
            .exists(),
        )
    )
    return set(rows)


async def list_jobs(
    session: AsyncSession, incident_id: UUID, page: PageQuery
) -> tuple[Sequence[EscalationJob], str | None]:
    """Return a page of an incident's timers, in the order they were made."""
    statement = select(EscalationJob).where(EscalationJob.incident_id == incident_id)
    return await fetch_page(session, statement, EscalationJob.id, page)
