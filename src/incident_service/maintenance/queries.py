"""Reads of maintenance windows."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from incident_service.catalog.matchers import MatcherWrong, parse
from incident_service.catalog.models import Service
from incident_service.core.errors import NotFound
from incident_service.core.rows import get_row
from incident_service.maintenance.covering import Window
from incident_service.maintenance.models import MaintenanceWindow
from incident_service.teams.auth import Principal
from incident_service.teams.queries import visible
from incident_service.web.lists.pagination import PageQuery, fetch_page

log = structlog.get_logger()


class MaintenanceWindowNotFound(NotFound):
    """There is no such maintenance window."""


@dataclass(frozen=True, slots=True)
class WindowFilter:
    """Which windows are wanted: of a team, about a service, running at an instant."""

    team_id: UUID | None = None
    service_id: UUID | None = None
    active_at: datetime | None = None


async def get_window(
    session: AsyncSession, window_id: UUID, principal: Principal, *, lock: bool = False
) -> MaintenanceWindow:
    """Return the window.

    Raises:
        MaintenanceWindowNotFound: it does not exist for this caller.
        RoleTooLow: the person behind the key may not do this in the team.
    """
    statement = select(MaintenanceWindow).where(MaintenanceWindow.id == window_id)
    statement = visible(statement, MaintenanceWindow.team_id, principal)
    window = await get_row(session, statement, MaintenanceWindowNotFound, lock=lock)
    principal.require_role(window.team_id)
    return window


async def list_windows(
    session: AsyncSession, wanted: WindowFilter, principal: Principal, page: PageQuery
) -> tuple[Sequence[MaintenanceWindow], str | None]:
    """Return a page of windows, newest first."""
    statement = select(MaintenanceWindow)
    team_ids = principal.narrowed(wanted.team_id)
    if team_ids is not None:
        statement = statement.where(MaintenanceWindow.team_id.in_(team_ids))
    if wanted.service_id is not None:
        concerned = select(Service.id).where(Service.id == wanted.service_id, is_about(Service))
        statement = statement.where(concerned.exists())
    if wanted.active_at is not None:
        statement = statement.where(is_running(wanted.active_at))
    return await fetch_page(session, statement, MaintenanceWindow.id, page, newest_first=True)


def is_about(service: type[Service]) -> ColumnElement[bool]:
    """Hold for the windows that are about a service."""
    return or_(
        MaintenanceWindow.service_id == service.id,
        and_(
            MaintenanceWindow.service_id.is_(None),
            MaintenanceWindow.team_id == service.team_id,
        ),
    )


def is_running(at: datetime) -> ColumnElement[bool]:
    """Hold for the windows that run at an instant; one that was ended early, until then."""
    return and_(
        MaintenanceWindow.starts_at <= at,
        MaintenanceWindow.ends_at > at,
        or_(MaintenanceWindow.ended_at.is_(None), MaintenanceWindow.ended_at > at),
    )


async def load_running(
    session: AsyncSession, service_ids: Collection[UUID], now: datetime
) -> Mapping[UUID, Sequence[Window]]:
    """Return the windows that run now, by the services that they are about."""
    rows = await session.execute(
        select(Service.id, MaintenanceWindow)
        .join(MaintenanceWindow, is_about(Service))
        .where(
            Service.id.in_(service_ids),
            MaintenanceWindow.ended_at.is_(None),
            MaintenanceWindow.starts_at <= now,
            MaintenanceWindow.ends_at > now,
        )
        .execution_options(populate_existing=True)
    )
    running: dict[UUID, list[Window]] = defaultdict(list)
    for service_id, row in rows:
        window = read_window(row)
        if window is not None:
            running[service_id].append(window)
    return running


def read_window(row: MaintenanceWindow) -> Window | None:
    """Make a window that can be asked; None, and a line in the log, when it cannot be read."""
    try:
        matchers = tuple(matcher for text in row.matchers for matcher in parse(text))
    except MatcherWrong as error:
        log.error("maintenance.window_unreadable", id=str(row.id), error=str(error))  # noqa: TRY400
        return None
    return Window(row.id, matchers, row.over_at, row.reason)


async def lock_unsettled(
    session: AsyncSession, now: datetime, limit: int, *, without: Collection[UUID] = ()
) -> Sequence[UUID]:
    """Lock begun windows whose start or last change may have been missed; return their ids."""
    rows = await session.scalars(
        select(MaintenanceWindow.id)
        .where(
            MaintenanceWindow.settle_until.is_not(None),
            MaintenanceWindow.starts_at <= now,
            MaintenanceWindow.id.not_in(without),
        )
        .order_by(MaintenanceWindow.starts_at)
        .limit(limit)
        .with_for_update(key_share=True, skip_locked=True)
    )
    return rows.all()


async def lock_windows(
    session: AsyncSession, window_ids: Collection[UUID]
) -> Sequence[MaintenanceWindow]:
    """Lock and read windows."""
    rows = await session.scalars(
        select(MaintenanceWindow)
        .where(MaintenanceWindow.id.in_(window_ids))
        .order_by(MaintenanceWindow.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return rows.all()


async def next_start(session: AsyncSession, after: datetime) -> datetime | None:
    """Return when the next window begins, of those that begin after an instant."""
    found: datetime | None = await session.scalar(
        select(func.min(MaintenanceWindow.starts_at)).where(
            MaintenanceWindow.settle_until.is_not(None), MaintenanceWindow.starts_at > after
        )
    )
    return found


async def count_running(session: AsyncSession, now: datetime) -> int:
    """Count the windows that run now."""
    found = await session.scalar(
        select(func.count()).select_from(MaintenanceWindow).where(is_running(now))
    )
    return found or 0
