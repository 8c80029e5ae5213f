"""Make, change, end and delete maintenance windows; what they hold is the response's affair."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from incident_service.catalog.queries import get_service
from incident_service.core.db import LONGEST_TRANSACTION_S, Tx
from incident_service.core.errors import Conflict, Invalid
from incident_service.core.ids import new_id
from incident_service.core.rows import change_row
from incident_service.maintenance import queries
from incident_service.maintenance.models import MaintenanceWindow
from incident_service.maintenance.schemas import MaintenanceWindowCreate
from incident_service.teams.auth import Principal
from incident_service.teams.queries import get_team

LONGEST = timedelta(days=30)
# A transaction that has not seen a change of a window is over by then.
SETTLES = timedelta(seconds=LONGEST_TRANSACTION_S + 3)


class WindowWrong(Invalid):
    """The window cannot be used."""


class WindowIsOver(Conflict):
    """The window is over; what was stays as it was."""


class WindowHasBegun(Conflict):
    """The window has begun: its start stays, and it can be ended, but not deleted."""


class WindowNotBegun(Conflict):
    """The window has not begun; delete it instead."""


async def create_window(
    tx: Tx, wanted: MaintenanceWindowCreate, *, by: Principal
) -> MaintenanceWindow:
    """Make a window; one that would begin in the past begins now.

    Raises:
        TeamNotFound, ServiceNotFound, RoleTooLow: it is not the caller's.
        WindowWrong: see `require_span` and `require_service`.
    """
    await get_team(tx.session, wanted.team_id, by)
    await require_service(tx, wanted.service_id, wanted.team_id, by)
    window = MaintenanceWindow(
        id=new_id(),
        **wanted.model_dump(exclude={"starts_at"}),
        starts_at=max(wanted.starts_at or tx.now, tx.now),
        created_by=by.actor.as_json(),
        created_at=tx.now,
        updated_at=tx.now,
    )
    require_span(window, tx.now)
    settle_later(window, tx.now)
    tx.session.add(window)
    await tx.flush()
    return window


async def update_window(
    tx: Tx, window_id: UUID, changes: dict[str, Any], *, by: Principal
) -> MaintenanceWindow:
    """Change the given columns.

    Raises:
        MaintenanceWindowNotFound, ServiceNotFound, RoleTooLow: it is not the caller's.
        WindowIsOver, WindowHasBegun: it is too late for that.
        WindowWrong: see `require_span` and `require_service`.
    """
    window = await queries.get_window(tx.session, window_id, by, lock=True)
    if window.is_over(tx.now):
        raise WindowIsOver
    starts_at = changes.get("starts_at", window.starts_at)
    if starts_at != window.starts_at:
        if window.has_begun(tx.now):
            raise WindowHasBegun
        changes = {**changes, "starts_at": max(starts_at, tx.now)}
    await require_service(tx, changes.get("service_id"), window.team_id, by)
    change_row(window, changes, tx.now)
    require_span(window, tx.now)
    settle_later(window, tx.now)
    await tx.flush()
    return window


async def end_window(tx: Tx, window_id: UUID, *, by: Principal) -> MaintenanceWindow:
    """End a window now.

    Raises:
        MaintenanceWindowNotFound, RoleTooLow: it is not the caller's.
        WindowIsOver, WindowNotBegun: it does not run.
    """
    window = await queries.get_window(tx.session, window_id, by, lock=True)
    if window.is_over(tx.now):
        raise WindowIsOver
    if not window.has_begun(tx.now):
        raise WindowNotBegun
    change_row(window, {"ended_at": tx.now}, tx.now)
    settle_later(window, tx.now)
    await tx.flush()
    return window


async def delete_window(tx: Tx, window_id: UUID, *, by: Principal) -> None:
    """Delete a window before it begins.

    Raises:
        MaintenanceWindowNotFound, RoleTooLow: it is not the caller's.
        WindowIsOver, WindowHasBegun: it is too late for that.
    """
    window = await queries.get_window(tx.session, window_id, by, lock=True)
    if window.is_over(tx.now):
        raise WindowIsOver
    if window.has_begun(tx.now):
        raise WindowHasBegun
    await tx.session.delete(window)
    await tx.flush()


def require_span(window: MaintenanceWindow, now: datetime) -> None:
    """Refuse a time that nothing can be held in.

    Raises:
        WindowWrong: it would end before it begins, or before now, or is longer than 30 days.
    """
    if window.ends_at <= max(window.starts_at, now):
        raise WindowWrong("It has to end after it begins, and after now.", "/ends_at")
    if window.ends_at - window.starts_at > LONGEST:
        raise WindowWrong("It may last 30 days at most.", "/ends_at")


async def require_service(tx: Tx, service_id: UUID | None, team_id: UUID, by: Principal) -> None:
    """Refuse a service that is not the team's; None is all of them.

    Raises:
        ServiceNotFound: it does not exist for the caller.
        WindowWrong: it is another team's.
    """
    if service_id is None:
        return
    service = await get_service(tx.session, service_id, by)
    if service.team_id != team_id:
        raise WindowWrong("The team has no such service.", "/service_id")


def settle_later(window: MaintenanceWindow, now: datetime) -> None:
    """Have workers look for what missed a change of the window, or misses its start."""
    window.settle_until = max(window.starts_at, now) + SETTLES
