"""Bring incidents in line with maintenance windows that begin, change or end.

Whatever opens or goes on asks for itself whether a window covers it. What climbed before a window
began is held here, and what a window no longer holds goes on: in the transaction that changes the
window, and some seconds long by the reconciler, because transactions may be at work that have not
seen the change.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, or_, select

from incident_service.catalog.models import Service
from incident_service.core.db import Transactions, Tx
from incident_service.core.due import DueRows
from incident_service.escalation import actions as climbs
from incident_service.escalation.holding import find_holds
from incident_service.escalation.models import EscalationJob
from incident_service.escalation.queries import IS_PENDING
from incident_service.incidents.lifecycle import Status
from incident_service.incidents.locks import lock
from incident_service.incidents.models import Incident, IncidentEvent
from incident_service.incidents.timeline import EventKind
from incident_service.maintenance import queries
from incident_service.maintenance.covering import covering
from incident_service.maintenance.models import MaintenanceWindow

INCIDENTS_AT_ONCE = 200
WINDOWS_AT_ONCE = 5
# Whoever asks for pages by hand while a window runs gets them. A climb also begins again by
# itself, so a restart says whether somebody asked for it.
BY_HAND = or_(
    IncidentEvent.kind.in_(
        [EventKind.ESCALATED, EventKind.REASSIGNED, EventKind.ASSIGNEE_PAGED],
    ),
    and_(
        IncidentEvent.kind == EventKind.RESTARTED,
        IncidentEvent.data.contains({"asked_for": True}),
    ),
)


async def settle(tx: Tx, window: MaintenanceWindow) -> int:
    """Hold what climbs under a window, and let go on what it no longer holds.

    The caller has locked the window. No more than a batch is done of each: the reconciler does the
    rest. Returns how many incidents were touched.
    """
    held = await hold_climbing(tx, window)
    looked_at = await look_again(tx, window)
    is_done = max(held, looked_at) < INCIDENTS_AT_ONCE
    if is_done and window.settle_until is not None and window.settle_until <= tx.now:
        window.settle_until = None
    await tx.flush()
    return held + looked_at


async def hold_climbing(tx: Tx, window: MaintenanceWindow) -> int:
    """Hold incidents that climb though the window covers them; return how many."""
    if not window.has_begun(tx.now) or window.is_over(tx.now):
        return 0
    wanted = [incident.id for incident in await load_climbing(tx, window)][:INCIDENTS_AT_ONCE]
    if not wanted:
        return 0
    await lock(tx.session, wanted)
    # Asked once more: somebody may have taken one, or asked for pages, before the lock.
    still = await load_climbing(tx, window, among=wanted)
    await climbs.hold(tx, still, await find_holds(tx, still))
    return len(wanted)


async def load_climbing(
    tx: Tx, window: MaintenanceWindow, *, among: Collection[UUID] | None = None
) -> Sequence[Incident]:
    """Read the climbing incidents that a window covers, whatever other windows do."""
    statement = (
        select(Incident)
        .join(Service, Service.id == Incident.service_id)
        .join(MaintenanceWindow, queries.is_about(Service))
        .where(
            MaintenanceWindow.id == window.id,
            Incident.status == Status.OPEN,
            ~Incident.is_quiet,
            Incident.snoozed_until.is_(None),
            Incident.maintenance_window_id.is_(None),
            ~was_asked_for_since(window.starts_at),
        )
        .order_by(Incident.id)
        .execution_options(populate_existing=True)
    )
    if among is not None:
        statement = statement.where(Incident.id.in_(among))
    asked = queries.read_window(window)
    climbing = await tx.session.scalars(statement)
    return [each for each in climbing if asked and covering([asked], each.labels)]


def was_asked_for_since(starts_at: datetime) -> ColumnElement[bool]:
    """Hold for the incidents whose pages somebody has asked for by hand since an instant."""
    return exists().where(
        IncidentEvent.incident_id == Incident.id,
        BY_HAND,
        IncidentEvent.at >= starts_at,
    )


async def look_again(tx: Tx, window: MaintenanceWindow) -> int:
    """Look again at incidents that a window holds otherwise than it should; return how many.

    Those whose timer is due are left to it.
    """
    rows = await tx.session.execute(
        select(Incident, EscalationJob.scheduled_for)
        .join(EscalationJob, EscalationJob.incident_id == Incident.id)
        .where(
            Incident.maintenance_window_id == window.id,
            EscalationJob.scheduled_for > tx.now,
            *IS_PENDING,
        )
        .order_by(Incident.id)
        .execution_options(populate_existing=True)
    )
    found: dict[Incident, datetime] = {row.Incident: row.scheduled_for for row in rows}
    holds = await find_holds(tx, list(found))
    wrong = [
        incident.id
        for incident, until in found.items()
        if incident.id not in holds or (holds[incident.id].id, until) != (window.id, window.over_at)
    ]
    wrong = wrong[:INCIDENTS_AT_ONCE]
    locked = await lock(tx.session, wrong)
    still = [each for each in locked.values() if each.maintenance_window_id == window.id]
    await climbs.look_again_at_held(tx, still)
    return len(wrong)


def unsettled_windows(transactions: Transactions) -> DueRows:
    """Return the windows that begin, or were changed just now, for the reconciler."""

    async def find(tx: Tx, resting: Collection[UUID], limit: int) -> Sequence[UUID]:
        at_once = min(limit, WINDOWS_AT_ONCE)
        return await queries.lock_unsettled(tx.session, tx.now, at_once, without=resting)

    async def run(tx: Tx, window_ids: Sequence[UUID]) -> int:
        windows = await queries.lock_windows(tx.session, window_ids)
        return sum([await settle(tx, window) for window in windows])

    async def next_due(tx: Tx) -> datetime | None:
        return await queries.next_start(tx.session, tx.now)

    return DueRows("maintenance_windows", transactions, find, run, next_due)
