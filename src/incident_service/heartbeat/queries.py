"""Reads of how the service stands: what is open, what is late, how the canaries fare."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from incident_service.catalog.priority import Priority
from incident_service.escalation.queries import count_with_nobody_to_page, oldest_overdue
from incident_service.heartbeat.fitness import Lateness
from incident_service.heartbeat.models import Canary
from incident_service.incidents.lifecycle import Status
from incident_service.incidents.queries import count_active, count_exhausted, count_held
from incident_service.maintenance.queries import count_running
from incident_service.notifications.queries import oldest_unsent
from incident_service.subscriptions.queries import count_paused


@dataclass(frozen=True, slots=True)
class Standing:
    """What an operator wants to see; the age is None when no canary ever came through."""

    active: Mapping[tuple[Status, Priority], int]
    exhausted: int
    with_nobody_to_page: int
    held: int
    windows: int
    paused_subscriptions: int
    lateness: Lateness
    canary_age: timedelta | None


async def load_standing(session: AsyncSession, now: datetime) -> Standing:
    """Read all of it."""
    return Standing(
        await count_active(session),
        await count_exhausted(session, now),
        await count_with_nobody_to_page(session),
        await count_held(session),
        await count_running(session, now),
        await count_paused(session),
        await load_lateness(session, now),
        await find_canary_age(session, now),
    )


async def load_lateness(session: AsyncSession, now: datetime) -> Lateness:
    """Look for what is due and not done."""
    timer_due_at = await oldest_overdue(session, now)
    page_due_at = await oldest_unsent(session, now)
    return Lateness(now - (timer_due_at or now), now - (page_due_at or now))


async def find_canary_age(session: AsyncSession, now: datetime) -> timedelta | None:
    """Return how long ago a canary was last recorded."""
    recorded_at = await session.scalar(select(func.max(Canary.recorded_at)))
    return None if recorded_at is None else now - recorded_at


async def lock_canaries(session: AsyncSession, ids: Collection[UUID]) -> Sequence[Canary]:
    """Lock and read those of the canaries that are not through yet."""
    rows = await session.scalars(
        select(Canary)
        .where(Canary.id.in_(ids), Canary.recorded_at.is_(None))
        .order_by(Canary.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return rows.all()


async def lock_newest_recorded(session: AsyncSession) -> Canary | None:
    """Lock and read the newest canary that is through."""
    return await session.scalar(
        select(Canary)
        .where(Canary.recorded_at.is_not(None))
        .order_by(Canary.due_at.desc())
        .limit(1)
        .with_for_update()
    )


async def find_overdue_canaries(
    session: AsyncSession, due_before: datetime, limit: int, *, without: Collection[UUID] = ()
) -> Sequence[UUID]:
    """Lock canaries that should be through, and that nobody works on; return their ids."""
    rows = await session.scalars(
        select(Canary.id)
        .where(
            Canary.due_at <= due_before,
            Canary.recorded_at.is_(None),
            Canary.id.not_in(without),
        )
        .order_by(Canary.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return rows.all()


async def next_canary_due(session: AsyncSession, after: datetime) -> datetime | None:
    """Return when the next canary is due, of those due after an instant."""
    found: datetime | None = await session.scalar(
        select(func.min(Canary.due_at)).where(Canary.due_at > after, Canary.recorded_at.is_(None))
    )
    return found
