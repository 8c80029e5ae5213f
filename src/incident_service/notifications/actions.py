"""Ask for people to be told about incidents, and take back what was not sent yet.

Lock order here: pages by id → notifications by id, after everything that `escalation` locks.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ScalarSelect, and_, case, or_, select, update
from sqlalchemy.exc import IntegrityError

from incident_service import jobs
from incident_service.catalog.priority import Priority
from incident_service.core.bulk import insert_rows
from incident_service.core.db import FOREIGN_KEY_VIOLATION, Overtaken, Tx, sqlstate
from incident_service.core.ids import new_id
from incident_service.incidents.lifecycle import Status
from incident_service.incidents.models import Incident
from incident_service.notifications.chain import NO_HABITS, Habits, chain, quiet_until
from incident_service.notifications.habits import load_habits
from incident_service.notifications.models import (
    CancelReason,
    Notification,
    NotificationKind,
    NotificationStatus,
    Page,
    PageStatus,
)


@dataclass(frozen=True, slots=True)
class Recipient:
    """One address, and whose it is; the installation's fallback contact is nobody's."""

    user_id: UUID | None
    contact_method_id: UUID


@dataclass(frozen=True, slots=True)
class Request:
    """Tell `recipients` about an incident.

    A timer tells each recipient once: asking again for the same `escalation_job_id` changes
    nothing. `reason` is shown to the people who are told. A page follows each person's own rules
    for `priority`; an update goes out at once, but for their quiet hours.
    """

    incident_id: UUID
    escalation_job_id: UUID | None
    epoch: int
    kind: NotificationKind
    reason: str
    level: int
    repeat: int
    priority: Priority
    recipients: tuple[Recipient, ...]


def about(
    incident: Incident, kind: NotificationKind, reason: str, recipients: Sequence[Recipient]
) -> Request:
    """Tell of an incident where it stands now, by no timer."""
    return Request(
        incident_id=incident.id,
        escalation_job_id=None,
        epoch=incident.escalation_epoch,
        kind=kind,
        reason=reason,
        level=incident.current_level,
        repeat=incident.current_repeat,
        priority=incident.priority,
        recipients=tuple(recipients),
    )


async def request(tx: Tx, requests: Sequence[Request]) -> None:
    """Make it due to tell people, now or later; one wake-up an address, instant and transaction.

    Raises:
        Overtaken: an address was deleted meanwhile.
    """
    habits = await load_habits(tx.session, people_of(requests)) if requests else {}
    rows = sorted(
        (row for wanted in requests for row in rows_of(tx, wanted, habits)), key=unique_key
    )
    if not rows:
        return
    await tx.flush()
    try:
        await insert_rows(tx.session, Notification, rows, otherwise="ON CONFLICT DO NOTHING")
    except IntegrityError as error:
        if sqlstate(error) == FOREIGN_KEY_VIOLATION:
            raise Overtaken from error
        raise
    for contact_method_id, due_at in dict.fromkeys(
        (row["contact_method_id"], row["due_at"]) for row in rows
    ):
        wake_up(tx, contact_method_id, due_at)


def people_of(requests: Sequence[Request]) -> set[UUID]:
    """Return who is told, as far as it is people."""
    return {
        recipient.user_id
        for wanted in requests
        for recipient in wanted.recipients
        if recipient.user_id
    }


def due_times(tx: Tx, wanted: Request, habits: Mapping[UUID, Habits]) -> dict[Recipient, datetime]:
    """Return when each recipient is told, without those whom a person's own rules leave out."""
    if wanted.kind is NotificationKind.UPDATE:
        return {
            recipient: quiet_until(
                habits.get(recipient.user_id, NO_HABITS) if recipient.user_id else NO_HABITS,
                wanted.priority,
                tx.now,
            )
            for recipient in wanted.recipients
        }
    addresses: dict[UUID | None, list[UUID]] = defaultdict(list)
    for recipient in wanted.recipients:
        addresses[recipient.user_id].append(recipient.contact_method_id)
    return {
        Recipient(user_id, told.contact_method_id): told.at
        for user_id, ids in addresses.items()
        for told in chain(
            habits.get(user_id, NO_HABITS) if user_id else NO_HABITS,
            ids,
            wanted.priority,
            tx.now,
            tx.minute,
        )
    }


def rows_of(tx: Tx, wanted: Request, habits: Mapping[UUID, Habits]) -> list[dict[str, Any]]:
    """Return a pending row for each recipient."""
    return [
        {
            "id": new_id(),
            "incident_id": wanted.incident_id,
            "escalation_job_id": wanted.escalation_job_id,
            "epoch": wanted.epoch,
            "user_id": recipient.user_id,
            "contact_method_id": recipient.contact_method_id,
            "kind": wanted.kind,
            "reason": wanted.reason,
            "level": wanted.level,
            "repeat": wanted.repeat,
            "due_at": due_at,
            "status": NotificationStatus.PENDING,
            "trace_context": tx.trace_of(wanted.incident_id),
            "created_at": tx.now,
            "updated_at": tx.now,
        }
        for recipient, due_at in due_times(tx, wanted, habits).items()
    ]


def unique_key(row: dict[str, Any]) -> tuple[str, str, str]:
    """Order rows as their unique index does: two transactions then never wait for each other."""
    return (str(row["escalation_job_id"]), str(row["user_id"]), str(row["contact_method_id"]))


def wake_up(tx: Tx, contact_method_id: UUID, at: datetime) -> None:
    """Have the address served at an instant, unless this transaction saw to it already."""
    job = jobs.deliver(contact_method_id, at)
    seen = ((other.name, other.args, other.not_before) for other in tx.jobs)
    if (job.name, job.args, job.not_before) not in seen:
        tx.enqueue(job)


async def cancel(tx: Tx, incident_ids: Collection[UUID]) -> None:
    """Take back the pages of these incidents that no channel has been given yet.

    That is what is pending, and what waits between two attempts. A page that is being sent at
    this moment cannot be called back; should the attempt fail, there is no further one.
    """
    if not incident_ids:
        return
    await tx.flush()
    waiting_page_ids = await lock_waiting_pages(tx, incident_ids)
    notification_ids = await tx.session.scalars(
        select(Notification.id)
        .where(
            Notification.incident_id.in_(incident_ids),
            Notification.kind == NotificationKind.PAGE,
            or_(
                Notification.status == NotificationStatus.PENDING,
                and_(
                    Notification.status == NotificationStatus.SENDING,
                    Notification.page_id.in_(waiting_page_ids),
                ),
            ),
        )
        .order_by(Notification.id)
        .with_for_update()
    )
    await mark_cancelled(tx, notification_ids.all())


async def cancel_updates(tx: Tx, incident_ids: Collection[UUID]) -> None:
    """Take back what was to be said of incidents that have changed since."""
    rows = await tx.session.scalars(
        select(Notification.id)
        .where(
            Notification.incident_id.in_(incident_ids),
            Notification.kind == NotificationKind.UPDATE,
            Notification.status == NotificationStatus.PENDING,
        )
        .order_by(Notification.id)
        .with_for_update()
    )
    await mark_cancelled(tx, rows.all())


async def cancel_for_person(tx: Tx, user_id: UUID) -> None:
    """Take back what a person was still to be told, because they are inactive now.

    The next attempt of a page that is between two finds out by itself.
    """
    rows = await tx.session.scalars(
        select(Notification.id)
        .where(Notification.user_id == user_id, Notification.status == NotificationStatus.PENDING)
        .order_by(Notification.id)
        .with_for_update()
    )
    await mark_cancelled(tx, rows.all(), CancelReason.INACTIVE)


async def lock_waiting_pages(tx: Tx, incident_ids: Collection[UUID]) -> Sequence[UUID]:
    """Lock the pages of these incidents that are between two attempts, and return their ids.

    Locked, because a page that is claimed for its next attempt meanwhile is no longer waiting.
    """
    members = select(Notification.page_id).where(
        Notification.incident_id.in_(incident_ids),
        Notification.status == NotificationStatus.SENDING,
    )
    rows = await tx.session.scalars(
        select(Page.id)
        .where(Page.id.in_(members), Page.status == PageStatus.WAITING)
        .order_by(Page.id)
        .with_for_update()
    )
    return rows.all()


async def mark_cancelled(
    tx: Tx, notification_ids: Collection[UUID], because: CancelReason | None = None
) -> None:
    """Cancel notifications that this transaction has locked; why, their incidents tell."""
    if notification_ids:
        reason = because.value if because else what_happened(tx)
        await tx.session.execute(
            update(Notification)
            .where(Notification.id.in_(notification_ids))
            .values(
                status=NotificationStatus.CANCELLED, cancelled_because=reason, updated_at=tx.now
            )
            .execution_options(synchronize_session=False)
        )


def what_happened(tx: Tx) -> ScalarSelect[str]:
    """Say, in an UPDATE of notifications, what has made them pointless."""
    is_over = Incident.status.in_([Status.RESOLVED, Status.CLOSED])
    reason = case(
        (Notification.kind == NotificationKind.UPDATE, CancelReason.SUPERSEDED.value),
        (Notification.epoch != Incident.escalation_epoch, CancelReason.SUPERSEDED.value),
        (Incident.status == Status.ACKNOWLEDGED, CancelReason.ACKNOWLEDGED.value),
        (is_over, CancelReason.RESOLVED.value),
        (Incident.snoozed_until > tx.now, CancelReason.SNOOZED.value),
        (Incident.maintenance_window_id.is_not(None), CancelReason.MAINTENANCE.value),
        else_=CancelReason.SUPERSEDED.value,
    )
    return select(reason).where(Incident.id == Notification.incident_id).scalar_subquery()
