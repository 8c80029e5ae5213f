"""Reads of subscriptions and deliveries."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from incident_service.core.errors import NotFound
from incident_service.core.rows import get_row
from incident_service.incidents.following import HORIZON, is_unread
from incident_service.incidents.models import IncidentEvent
from incident_service.subscriptions.lanes import Demand
from incident_service.subscriptions.models import (
    DeliveryStatus,
    WebhookDelivery,
    WebhookSubscription,
)
from incident_service.teams.auth import Principal
from incident_service.teams.queries import visible
from incident_service.web.lists.pagination import PageQuery, fetch_page

UNFINISHED = (DeliveryStatus.PENDING, DeliveryStatus.SENDING)


class WebhookSubscriptionNotFound(NotFound):
    """There is no such subscription, or it belongs to a team that the key cannot see."""


class WebhookDeliveryNotFound(NotFound):
    """The subscription has no such delivery, or it is so old that it was forgotten."""


async def get_subscription(
    session: AsyncSession, subscription_id: UUID, principal: Principal, *, lock: bool = False
) -> WebhookSubscription:
    """Return the subscription. One of every team exists only for keys that are not limited.

    Raises:
        WebhookSubscriptionNotFound: it does not exist for this caller.
        RoleTooLow: the person behind the key may not do this in the team.
    """
    statement = visible(
        select(WebhookSubscription).where(WebhookSubscription.id == subscription_id),
        WebhookSubscription.team_id,
        principal,
    )
    row = await get_row(session, statement, WebhookSubscriptionNotFound, lock=lock)
    if row.team_id is not None:
        principal.require_role(row.team_id)
    return row


async def list_subscriptions(
    session: AsyncSession, principal: Principal, page: PageQuery, *, team_id: UUID | None
) -> tuple[Sequence[WebhookSubscription], str | None]:
    """Return a page of the subscriptions that the caller sees: all, or one team's."""
    statement = visible(select(WebhookSubscription), WebhookSubscription.team_id, principal)
    if team_id:
        statement = statement.where(WebhookSubscription.team_id == team_id)
    return await fetch_page(session, statement, WebhookSubscription.id, page)


async def list_deliveries(
    session: AsyncSession, subscription_id: UUID, page: PageQuery, status: DeliveryStatus | None
) -> tuple[Sequence[WebhookDelivery], str | None]:
    """Return a page of a subscription's deliveries, newest first: all, or those of a status."""
    statement = select(WebhookDelivery).where(WebhookDelivery.subscription_id == subscription_id)
    if status:
        statement = statement.where(WebhookDelivery.status == status)
    return await fetch_page(session, statement, WebhookDelivery.id, page, newest_first=True)


async def get_delivery(
    session: AsyncSession, subscription_id: UUID, delivery_id: UUID, *, lock: bool = False
) -> WebhookDelivery:
    """Return a delivery of the subscription.

    Raises:
        WebhookDeliveryNotFound: there is none.
    """
    statement = select(WebhookDelivery).where(
        WebhookDelivery.id == delivery_id, WebhookDelivery.subscription_id == subscription_id
    )
    return await get_row(session, statement, WebhookDeliveryNotFound, lock=lock)


async def lock_behind(
    session: AsyncSession, limit: int, *, without: Collection[UUID] = ()
) -> Sequence[UUID]:
    """Lock enabled subscriptions that have final events to read; return their ids.

    Those that another worker reads for are passed over.
    """
    cursor = (WebhookSubscription.read_xact, WebhookSubscription.read_position)
    unread = select(IncidentEvent.position).where(is_unread(*cursor), IncidentEvent.xact < HORIZON)
    rows = await session.scalars(
        select(WebhookSubscription.id)
        .where(
            WebhookSubscription.is_enabled,
            WebhookSubscription.id.not_in(without),
            unread.correlate(WebhookSubscription).exists(),
        )
        .order_by(WebhookSubscription.id)
        .limit(limit)
        .with_for_update(key_share=True, skip_locked=True)
    )
    return rows.all()


async def lock_enabled(
    session: AsyncSession, subscription_ids: Collection[UUID]
) -> Sequence[WebhookSubscription]:
    """Lock and read those of the subscriptions that are enabled."""
    rows = await session.scalars(
        select(WebhookSubscription)
        .where(WebhookSubscription.id.in_(subscription_ids), WebhookSubscription.is_enabled)
        .order_by(WebhookSubscription.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return rows.all()


async def lock_subscription(
    session: AsyncSession, subscription_id: UUID
) -> WebhookSubscription | None:
    """Lock and read a subscription; None when it was deleted."""
    rows = await session.scalars(
        select(WebhookSubscription)
        .where(WebhookSubscription.id == subscription_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return rows.one_or_none()


async def find_final_events(
    session: AsyncSession, xact: int, position: int, limit: int
) -> Sequence[IncidentEvent]:
    """Return the first final events behind the cursor, in the order of its two parts."""
    rows = await session.scalars(
        select(IncidentEvent)
        .where(is_unread(xact, position), IncidentEvent.xact < HORIZON)
        .order_by(IncidentEvent.xact, IncidentEvent.position)
        .limit(limit)
    )
    return rows.all()


def is_due(now: datetime) -> ColumnElement[bool]:
    """Say of a delivery that it may be claimed.

    It waits for its time, or for the lease of a worker that has died; and for the earlier events
    of its incident. A ping goes out even while the subscription is not enabled.
    """
    earlier = aliased(WebhookDelivery)
    waits_for = select(earlier.id).where(
        earlier.subscription_id == WebhookDelivery.subscription_id,
        earlier.incident_id == WebhookDelivery.incident_id,
        earlier.sequence < WebhookDelivery.sequence,
        earlier.status.in_(UNFINISHED),
    )
    return (
        WebhookDelivery.status.in_(UNFINISHED)
        & (WebhookDelivery.due_at <= now)
        & or_(WebhookSubscription.is_enabled, WebhookDelivery.incident_id.is_(None))
        & ~waits_for.correlate(WebhookDelivery).exists()
    )


async def find_demands(
    session: AsyncSession, now: datetime, limit: int, *, without: Collection[UUID] = ()
) -> list[Demand]:
    """Return for which subscriptions something is due, the longest due first."""
    rows = await session.execute(
        select(WebhookSubscription.id, WebhookSubscription.failures, func.count())
        .join(WebhookDelivery, WebhookDelivery.subscription_id == WebhookSubscription.id)
        .where(is_due(now), WebhookSubscription.id.not_in(without))
        .group_by(WebhookSubscription.id)
        .order_by(WebhookSubscription.failures > 0, func.min(WebhookDelivery.due_at))
        .limit(limit)
    )
    return [Demand(id_, count, is_failing=failures > 0) for id_, failures, count in rows]


async def count_paused(session: AsyncSession) -> int:
    """Count the subscriptions that the service gave up on."""
    found = await session.scalar(
        select(func.count())
        .select_from(WebhookSubscription)
        .where(WebhookSubscription.paused_at.is_not(None))
    )
    return found or 0
