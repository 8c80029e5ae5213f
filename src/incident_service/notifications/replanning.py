"""Let pages that are on their way follow rules that their person has just changed.

A delay that is still ahead counts as the new rules say; one that has passed is not made up for,
and what was sent stays sent.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select

from incident_service.core.db import AS_ONE_SET, Tx
from incident_service.core.ids import new_id
from incident_service.incidents.lifecycle import Status
from incident_service.incidents.locks import lock
from incident_service.incidents.models import Incident
from incident_service.notifications.actions import mark_cancelled, wake_up
from incident_service.notifications.chain import NO_HABITS, Told, chain
from incident_service.notifications.habits import load_habits
from incident_service.notifications.models import (
    CancelReason,
    Notification,
    NotificationKind,
    NotificationStatus,
)
from incident_service.teams.models import ContactMethod


async def replan(tx: Tx, user_id: UUID) -> None:
    """Change what the person is still to be told about open incidents."""
    incidents = await lock(tx.session, await climbing_for(tx, user_id))
    rows = await tx.session.scalars(
        select(Notification)
        .where(
            Notification.user_id == user_id,
            Notification.incident_id.in_(incidents),
            Notification.kind == NotificationKind.PAGE,
            Notification.escalation_job_id.is_not(None),
        )
        .order_by(Notification.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    steps: dict[UUID, list[Notification]] = defaultdict(list)
    for row in rows:
        incident = incidents[row.incident_id]
        is_climbing = incident.status is Status.OPEN and not incident.is_quiet
        if is_climbing and row.epoch == incident.escalation_epoch:
            steps[row.escalation_job_id or row.id].append(row)
    if not steps:
        return
    habits = (await load_habits(tx.session, [user_id])).get(user_id, NO_HABITS)
    addresses = await enabled_addresses(tx, user_id)
    for told in steps.values():
        begun_at = min(row.created_at for row in told)
        priority = incidents[told[0].incident_id].priority
        planned = chain(habits, addresses, priority, begun_at, tx.minute)
        await follow(tx, told, wanted(tx, told, planned))


def wanted(tx: Tx, told: Sequence[Notification], planned: Sequence[Told]) -> dict[UUID, datetime]:
    """Return which addresses are still to be told, and when.

    When all that is planned has passed and nothing was told, the first is told now: a change of
    rules silences nobody.
    """
    ahead = {each.contact_method_id: each.at for each in planned if each.at > tx.now}
    if ahead or not planned or any(is_told(tx, row) for row in told):
        return ahead
    return {planned[0].contact_method_id: tx.now}


def is_told(tx: Tx, row: Notification) -> bool:
    """Say whether the address was told, or is being told now."""
    if row.status is NotificationStatus.PENDING:
        return row.due_at <= tx.now
    return row.status in (NotificationStatus.SENT, NotificationStatus.SENDING)


async def hasten(tx: Tx, incidents: Sequence[Incident]) -> None:
    """Bring pages of locked incidents forward that a lower priority has put off."""
    by_id = {incident.id: incident for incident in incidents}
    rows = await tx.session.scalars(
        select(Notification)
        .where(
            Notification.incident_id.in_(by_id),
            Notification.kind == NotificationKind.PAGE,
            Notification.user_id.is_not(None),
        )
        .order_by(Notification.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    steps: dict[tuple[UUID | None, UUID | None], list[Notification]] = defaultdict(list)
    for row in rows:
        if row.epoch == by_id[row.incident_id].escalation_epoch:
            steps[row.escalation_job_id, row.user_id].append(row)
    habits = await load_habits(tx.session, {user_id for _, user_id in steps if user_id})
    for (_, user_id), told in steps.items():
        own = habits.get(user_id, NO_HABITS) if user_id else NO_HABITS
        begun_at = min(row.created_at for row in told)
        addresses = [row.contact_method_id for row in told]
        planned = chain(own, addresses, by_id[told[0].incident_id].priority, begun_at, tx.minute)
        sooner(tx, told, {each.contact_method_id: each.at for each in planned})
    await tx.flush()


def sooner(tx: Tx, told: Sequence[Notification], planned: Mapping[UUID, datetime]) -> None:
    """Bring later pages forward to when they are planned now, never back."""
    for row in told:
        at = max(planned.get(row.contact_method_id, row.due_at), tx.now)
        if row.status is NotificationStatus.PENDING and at < row.due_at:
            row.due_at, row.updated_at = at, tx.now
            wake_up(tx, row.contact_method_id, at)


async def climbing_for(tx: Tx, user_id: UUID) -> Sequence[UUID]:
    """Return the open incidents about which the person was, or is to be, told."""
    rows = await tx.session.scalars(
        select(Notification.incident_id)
        .join(Incident, Incident.id == Notification.incident_id)
        .where(Notification.user_id == user_id, Incident.status == Status.OPEN)
        .distinct()
    )
    return rows.all()


async def enabled_addresses(tx: Tx, user_id: UUID) -> Sequence[UUID]:
    """Return the person's addresses that can be used, oldest first."""
    rows = await tx.session.scalars(
        select(ContactMethod.id)
        .where(
            ContactMethod.user_id == user_id,
            ContactMethod.is_enabled,
            ContactMethod.unverified_since.is_(None),
        )
        .order_by(ContactMethod.id)
    )
    return rows.all()


async def follow(tx: Tx, told: Sequence[Notification], wanted: dict[UUID, datetime]) -> None:
    """Move, add, cancel and take back up the later pages of one step."""
    later = [
        row for row in told if row.status is NotificationStatus.PENDING and row.due_at > tx.now
    ]
    dropped = [row.id for row in later if row.contact_method_id not in wanted]
    await mark_cancelled(tx, dropped, CancelReason.REPLANNED)
    cancelled = [row for row in told if row.status is NotificationStatus.CANCELLED]
    for row in (*later, *cancelled):
        if due_at := wanted.get(row.contact_method_id):
            row.status, row.cancelled_because = NotificationStatus.PENDING, None
            row.due_at, row.updated_at = due_at, tx.now
            wake_up(tx, row.contact_method_id, due_at)
    known = {row.contact_method_id for row in told}
    added = [like(tx, told[0], id_, at) for id_, at in wanted.items() if id_ not in known]
    if added:
        await tx.session.execute(insert(Notification), added, execution_options=AS_ONE_SET)
    for new in added:
        wake_up(tx, new["contact_method_id"], new["due_at"])
    await tx.flush()


def like(tx: Tx, row: Notification, contact_method_id: UUID, due_at: datetime) -> dict[str, Any]:
    """Return a pending row of the same step, for another address."""
    copied = (
        "incident_id",
        "escalation_job_id",
        "epoch",
        "user_id",
        "kind",
        "reason",
        "level",
        "repeat",
    )
    return {name: getattr(row, name) for name in copied} | {
        "id": new_id(),
        "contact_method_id": contact_method_id,
        "due_at": due_at,
        "status": NotificationStatus.PENDING,
        "created_at": tx.now,
        "updated_at": tx.now,
    }
