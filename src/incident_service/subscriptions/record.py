"""Record how an attempt ended: the second of the two transactions round it.

A worker may be so late that its lease has run out and another has taken the delivery up. Then its
failure no longer counts. Its success does: what got through need not be sent again.

The subscription is locked before the delivery, as everywhere.
"""

from enum import StrEnum

from sqlalchemy import select

from incident_service.core.db import Tx
from incident_service.subscriptions import queries
from incident_service.subscriptions.claim import Claimed
from incident_service.subscriptions.models import (
    DeliveryStatus,
    WebhookDelivery,
    WebhookSubscription,
)
from incident_service.subscriptions.notice import tell_of_pause
from incident_service.subscriptions.persistence import (
    Failure,
    PassOver,
    Pause,
    Streak,
    TryAgain,
    after_failure,
)


class Outcome(StrEnum):
    """What became of an attempt; `late`: another attempt's result stands."""

    DELIVERED = "delivered"
    RETRY = "retry"
    FAILED = "failed"
    PAUSED = "paused"
    LATE = "late"


async def succeeded(tx: Tx, claimed: Claimed, status: int) -> Outcome:
    """Record that the receiver has the event."""
    subscription = await queries.lock_subscription(tx.session, claimed.subscription_id)
    delivery = await lock_delivery(tx, claimed)
    if subscription is None or delivery is None or delivery.delivered_at:
        return Outcome.LATE
    delivery.status = DeliveryStatus.DELIVERED
    delivery.delivered_at = tx.now
    delivery.last_status = status
    delivery.last_error = None
    if claimed.incident_id is not None:
        subscription.failures = 0
        subscription.failing_since = None
    return Outcome.DELIVERED


async def failed(tx: Tx, claimed: Claimed, failure: Failure, *, jitter: float) -> Outcome:
    """Record that the attempt failed, and what follows. `jitter` is a random number from 0 to 1.

    A ping is tried once, and says nothing about the subscription.
    """
    subscription = await queries.lock_subscription(tx.session, claimed.subscription_id)
    delivery = await lock_delivery(tx, claimed)
    if subscription is None or delivery is None or not holds_lease(delivery, claimed):
        return Outcome.LATE
    delivery.last_status = failure.status
    delivery.last_error = failure.error
    if claimed.incident_id is None:
        delivery.status = DeliveryStatus.FAILED
        return Outcome.FAILED
    return await follow(tx, subscription, delivery, failure, jitter)


async def follow(
    tx: Tx,
    subscription: WebhookSubscription,
    delivery: WebhookDelivery,
    failure: Failure,
    jitter: float,
) -> Outcome:
    """Count the failure and do what `persistence` decides."""
    subscription.failures += 1
    subscription.failing_since = subscription.failing_since or tx.now
    streak = Streak(subscription.failures, tx.now - subscription.failing_since)
    delivery.status = DeliveryStatus.PENDING
    delivery.due_at = tx.now
    match after_failure(failure, streak, attempts=delivery.attempts, jitter=jitter):
        case TryAgain(delay):
            delivery.due_at = tx.now + delay
            return Outcome.RETRY
        case PassOver():
            delivery.status = DeliveryStatus.FAILED
            return Outcome.FAILED
        case Pause(reason):
            return await pause(tx, subscription, reason, failure.error)


async def pause(tx: Tx, subscription: WebhookSubscription, reason: str, error: str) -> Outcome:
    """Stop the subscription and say so, unless it was stopped meanwhile.

    Its lock makes those who would pause it take turns: only the first one tells anybody.
    """
    if not subscription.is_enabled:
        return Outcome.RETRY
    subscription.is_enabled = False
    subscription.paused_at = subscription.updated_at = tx.now
    subscription.pause_reason = reason
    await tell_of_pause(tx, subscription, error)
    return Outcome.PAUSED


async def lock_delivery(tx: Tx, claimed: Claimed) -> WebhookDelivery | None:
    """Lock and read the delivery; None when it was deleted with its subscription."""
    rows = await tx.session.scalars(
        select(WebhookDelivery)
        .where(WebhookDelivery.id == claimed.delivery_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return rows.one_or_none()


def holds_lease(delivery: WebhookDelivery, claimed: Claimed) -> bool:
    """Say whether this attempt is still the last one, and its result still open."""
    return delivery.status is DeliveryStatus.SENDING and delivery.attempts == claimed.attempt
