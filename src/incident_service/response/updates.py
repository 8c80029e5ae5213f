"""Tell everybody who was paged what has become of an incident."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, exists, or_, select
from sqlalchemy.orm import aliased

from incident_service.core.actor import Actor
from incident_service.core.db import Tx
from incident_service.incidents.models import Incident
from incident_service.notifications.actions import Recipient, Request, request
from incident_service.notifications.models import (
    Notification,
    NotificationKind,
    NotificationStatus,
)
from incident_service.teams.models import Channel, ContactMethod, User

TOLD = (NotificationStatus.SENT, NotificationStatus.SENDING)
# Nobody wants to be called to hear that all is well.
NOT_BY = (Channel.VOICE,)
SAME_AGAIN_AFTER = timedelta(minutes=10)


async def tell_those_paged(
    tx: Tx, incidents: Sequence[Incident], *, what: str, actor: Actor
) -> None:
    """Tell those whom the present climb has paged, but for the person who acted."""
    recipients = await find_paged(tx, [incident.id for incident in incidents], what, actor)
    await request(
        tx,
        [
            Request(
                incident_id=incident.id,
                escalation_job_id=None,
                epoch=incident.escalation_epoch,
                kind=NotificationKind.UPDATE,
                reason=f"{what} by {actor.name}",
                level=incident.current_level,
                repeat=incident.current_repeat,
                priority=incident.priority,
                recipients=tuple(recipients[incident.id]),
            )
            for incident in incidents
            if incident.id in recipients
        ],
    )


def heard_lately(tx: Tx, what: str) -> ColumnElement[bool]:
    """Hold for addresses that heard the same of the same incident within the last minutes."""
    earlier = aliased(Notification)
    return exists().where(
        earlier.incident_id == Notification.incident_id,
        earlier.contact_method_id == Notification.contact_method_id,
        earlier.kind == NotificationKind.UPDATE,
        earlier.reason.startswith(what),
        earlier.created_at > tx.now - SAME_AGAIN_AFTER,
    )


async def find_paged(
    tx: Tx, incident_ids: Sequence[UUID], what: str, actor: Actor
) -> dict[UUID, list[Recipient]]:
    """Return the addresses that took a page of each incident's present epoch.

    Those that have just heard the same are left out: an incident may flap.
    """
    await tx.flush()
    rows = await tx.session.execute(
        select(Notification.incident_id, Notification.user_id, Notification.contact_method_id)
        .join(Incident, Incident.id == Notification.incident_id)
        .join(ContactMethod, ContactMethod.id == Notification.contact_method_id)
        .outerjoin(User, User.id == Notification.user_id)
        .where(
            ContactMethod.is_enabled,
            ContactMethod.unverified_since.is_(None),
            or_(User.id.is_(None), User.is_active),
            ~heard_lately(tx, what),
            Notification.incident_id.in_(incident_ids),
            Notification.epoch == Incident.escalation_epoch,
            Notification.kind == NotificationKind.PAGE,
            Notification.status.in_(TOLD),
            *([Notification.user_id.is_distinct_from(actor.id)] if actor.id else []),
            ContactMethod.kind.not_in(NOT_BY),
        )
        .distinct()
    )
    paged: dict[UUID, list[Recipient]] = defaultdict(list)
    for row in rows:
        paged[row.incident_id].append(Recipient(row.user_id, row.contact_method_id))
    return dict(paged)
