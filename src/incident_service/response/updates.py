"""Tell everybody who was paged what has become of an incident."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, exists, or_, select, tuple_
from sqlalchemy.orm import aliased

from incident_service.core.actor import Actor
from incident_service.core.db import Tx
from incident_service.incidents.models import Incident
from incident_service.notifications.actions import Recipient, about, request
from incident_service.notifications.models import (
    Notification,
    NotificationKind,
    NotificationStatus,
)
from incident_service.teams.models import Channel, ContactMethod, User

TOLD = (NotificationStatus.SENT, NotificationStatus.SENDING)
UNHEARD = (NotificationStatus.CANCELLED, NotificationStatus.FAILED)
# Nobody wants to be called to hear that all is well.
NOT_BY = (Channel.VOICE,)


async def tell_those_paged(
    tx: Tx, incidents: Sequence[Incident], *, what: str, actor: Actor
) -> None:
    """Tell whoever was paged, since the incident was opened, but for the person who acted."""
    news = f"{what} by {actor.name}"
    recipients = await find_paged(tx, [incident.id for incident in incidents], news, actor)
    await request(
        tx,
        [
            about(incident, NotificationKind.UPDATE, news, recipients[incident.id])
            for incident in incidents
            if incident.id in recipients
        ],
    )


async def tell_person(tx: Tx, incident: Incident, user_id: UUID, news: str) -> None:
    """Tell one person, as they like to be told of what asks for no answer."""
    addresses = await tx.session.scalars(
        select(ContactMethod.id)
        .where(
            ContactMethod.user_id == user_id,
            ContactMethod.is_enabled,
            ContactMethod.unverified_since.is_(None),
            ContactMethod.kind.not_in(NOT_BY),
        )
        .order_by(ContactMethod.id)
    )
    recipients = [Recipient(user_id, id_) for id_ in addresses]
    await request(tx, [about(incident, NotificationKind.UPDATE, news, recipients)])


def knows_already(news: str) -> ColumnElement[bool]:
    """Hold for addresses whose last word of the same incident is this very news.

    What was taken back, or did not get through, was never said.
    """
    same, later = aliased(Notification), aliased(Notification)
    is_later = exists().where(
        later.incident_id == same.incident_id,
        later.contact_method_id == same.contact_method_id,
        later.status.not_in(UNHEARD),
        tuple_(later.due_at, later.id) > tuple_(same.due_at, same.id),
    )
    return exists().where(
        same.incident_id == Notification.incident_id,
        same.contact_method_id == Notification.contact_method_id,
        same.kind == NotificationKind.UPDATE,
        same.reason == news,
        same.status.not_in(UNHEARD),
        ~is_later,
    )


async def find_paged(
    tx: Tx, incident_ids: Sequence[UUID], news: str, actor: Actor
) -> dict[UUID, list[Recipient]]:
    """Return the addresses that took a page of each incident, and do not know the news already.

    An incident may flap: without anything else in between, its end is told once.
    """
    await tx.flush()
    rows = await tx.session.execute(
        select(Notification.incident_id, Notification.user_id, Notification.contact_method_id)
        .join(ContactMethod, ContactMethod.id == Notification.contact_method_id)
        .outerjoin(User, User.id == Notification.user_id)
        .where(
            ContactMethod.is_enabled,
            ContactMethod.unverified_since.is_(None),
            or_(User.id.is_(None), User.is_active),
            ~knows_already(news),
            Notification.incident_id.in_(incident_ids),
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
