"""Claim a delivery: the first of the two transactions round an attempt."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select

from incident_service.core.db import Tx
from incident_service.subscriptions import queries
from incident_service.subscriptions.models import (
    DeliveryStatus,
    WebhookDelivery,
    WebhookSubscription,
)

# Longer than an attempt may take; what a killed worker had in its hands is sent again after it.
LEASE = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery to send now, as attempt number `attempt`; without an incident it is a ping."""

    delivery_id: UUID
    subscription_id: UUID
    incident_id: UUID | None
    url: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    body: str = field(repr=False)
    attempt: int
    sent_at: datetime
    trace: str | None = None


async def claim(tx: Tx, subscription_id: UUID) -> Claimed | None:
    """Take what has been due longest, and that nobody else is taking; None: nothing is."""
    found = await tx.session.execute(
        select(WebhookDelivery, WebhookSubscription)
        .join(WebhookSubscription, WebhookSubscription.id == WebhookDelivery.subscription_id)
        .where(WebhookSubscription.id == subscription_id, queries.is_due(tx.now))
        .order_by(WebhookDelivery.due_at, WebhookDelivery.event_position)
        .limit(1)
        .with_for_update(of=WebhookDelivery, skip_locked=True)
        .execution_options(populate_existing=True)
    )
    row = found.one_or_none()
    if row is None:
        return None
    delivery, subscription = row
    delivery.status = DeliveryStatus.SENDING
    delivery.attempts += 1
    delivery.due_at = tx.now + LEASE
    return Claimed(
        delivery_id=delivery.id,
        subscription_id=subscription.id,
        incident_id=delivery.incident_id,
        url=subscription.url,
        secrets=secrets_of(subscription, tx.now),
        body=delivery.body,
        attempt=delivery.attempts,
        sent_at=tx.now,
        trace=delivery.trace_context,
    )


def secrets_of(subscription: WebhookSubscription, now: datetime) -> tuple[str, ...]:
    """Return the secrets that sign: the present one, and for a while the one before it."""
    expires_at = subscription.previous_secret_expires_at
    if subscription.previous_secret and expires_at and expires_at > now:
        return (subscription.secret, subscription.previous_secret)
    return (subscription.secret,)
