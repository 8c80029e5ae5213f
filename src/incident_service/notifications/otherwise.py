"""What is done when an address does not take its page: the person's next one, or the fallback."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import aliased

from incident_service.core.db import Tx
from incident_service.incidents.lifecycle import Status
from incident_service.incidents.models import Incident
from incident_service.notifications.actions import Recipient, about, request, wake_up
from incident_service.notifications.models import (
    Notification,
    NotificationKind,
    NotificationStatus,
    Page,
)
from incident_service.policies.targets import find_fallback


async def try_next_addresses(tx: Tx, page: Page) -> None:
    """Bring the person's next address forward to now, for each step whose page was given up.

    Not where another of the person's addresses has the page already, or is about to.
    """
    failed = select(Notification.escalation_job_id).where(
        Notification.page_id == page.id, Notification.escalation_job_id.is_not(None)
    )
    rows = await tx.session.scalars(
        select(Notification)
        .ext(distinct_on(Notification.escalation_job_id))
        .where(
            Notification.escalation_job_id.in_(failed),
            Notification.user_id == page.user_id,
            Notification.status == NotificationStatus.PENDING,
            Notification.due_at > tx.now,
            ~is_told_elsewhere(tx),
        )
        .order_by(Notification.escalation_job_id, Notification.due_at, Notification.id)
    )
    for row in rows:
        row.due_at, row.updated_at = tx.now, tx.now
        wake_up(tx, row.contact_method_id, tx.now)


def is_told_elsewhere(tx: Tx) -> ColumnElement[bool]:
    """Hold where the person has the page of the same step at another address."""
    other = aliased(Notification)
    at_hand = (NotificationStatus.SENT, NotificationStatus.SENDING)
    is_due = and_(other.status == NotificationStatus.PENDING, other.due_at <= tx.now)
    return exists().where(
        other.escalation_job_id == Notification.escalation_job_id,
        other.user_id == Notification.user_id,
        or_(other.status.in_(at_hand), is_due),
    )


async def tell_fallback(
    tx: Tx, incidents: Sequence[Incident], reason: str, *, unless: UUID | None = None
) -> None:
    """Tell the installation's fallback contact, once in each epoch of an open incident.

    Not where it is the address `unless`: that is what has just failed.
    """
    contact = await find_fallback(tx.session)
    if contact is None or contact == unless:
        return
    told = await already_told(tx, contact, incidents)
    await request(
        tx,
        [
            about(incident, NotificationKind.PAGE, reason, [Recipient(None, contact)])
            for incident in incidents
            if is_climbing(tx, incident) and incident.id not in told
        ],
    )


def is_climbing(tx: Tx, incident: Incident) -> bool:
    """Say whether anybody is to be told of the incident at this moment."""
    is_snoozed = incident.snoozed_until is not None and incident.snoozed_until > tx.now
    is_waiting = is_snoozed or incident.maintenance_window_id is not None or incident.is_quiet
    return incident.status is Status.OPEN and not is_waiting


async def already_told(tx: Tx, contact: UUID, incidents: Sequence[Incident]) -> set[UUID]:
    """Return those of the incidents about whose present epoch the contact knows already."""
    knows = exists().where(
        Notification.incident_id == Incident.id,
        Notification.epoch == Incident.escalation_epoch,
        Notification.contact_method_id == contact,
        Notification.status != NotificationStatus.CANCELLED,
    )
    ids = [incident.id for incident in incidents]
    return set(await tx.session.scalars(select(Incident.id).where(Incident.id.in_(ids), knows)))
