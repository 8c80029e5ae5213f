"""Make, change and delete webhook subscriptions; send again, test, forget."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update

from incident_service.core.db import Tx
from incident_service.core.errors import Conflict, Invalid
from incident_service.core.ids import new_id
from incident_service.core.rows import change_row
from incident_service.incidents.following import find_horizon
from incident_service.subscriptions import body, queries
from incident_service.subscriptions.models import (
    DeliveryStatus,
    WebhookDelivery,
    WebhookSubscription,
)
from incident_service.subscriptions.schemas import SubscriptionCreate
from incident_service.teams.actions.contact_methods import make_signing_secret
from incident_service.teams.addresses import problem_with_url
from incident_service.teams.auth import Principal
from incident_service.teams.models import Channel
from incident_service.teams.queries import get_team

LOG_KEPT = timedelta(days=30)
FORGOTTEN_AT_ONCE = 1_000
OVER = (DeliveryStatus.DELIVERED, DeliveryStatus.FAILED)


class UrlNotUsable(Invalid):
    """Webhooks cannot be sent to this URL."""


class StillOnItsWay(Conflict):
    """The delivery has not ended yet: it is tried again by itself."""


def require_usable(url: str) -> None:
    """Refuse a URL that cannot be posted to.

    Raises:
        UrlNotUsable: with the reason.
    """
    if problem := problem_with_url(url):
        raise UrlNotUsable(problem, "/url")


def make_secret() -> str:
    """Make the secret that a subscription's webhooks are signed with."""
    secret = make_signing_secret(Channel.WEBHOOK)
    assert secret
    return secret


async def create_subscription(
    tx: Tx, wanted: SubscriptionCreate, *, by: Principal
) -> WebhookSubscription:
    """Make a subscription to every event that is committed from now on.

    Raises:
        UrlNotUsable: it cannot be posted to.
        TeamNotFound: the team does not exist for the caller.
        KeyLimited: every team's incidents are asked for by a key that is limited to teams.
    """
    if wanted.team_id is None:
        by.require_every_team()
    else:
        await get_team(tx.session, wanted.team_id, by, lock=True)
    require_usable(wanted.url)
    subscription = WebhookSubscription(
        id=new_id(),
        **wanted.model_dump(),
        secret=make_secret(),
        is_enabled=True,
        failures=0,
        read_xact=await find_horizon(tx.session),
        read_position=0,
        created_at=tx.now,
        updated_at=tx.now,
    )
    tx.session.add(subscription)
    await tx.flush()
    return subscription


async def update_subscription(
    tx: Tx, subscription_id: UUID, changes: dict[str, Any], *, by: Principal
) -> WebhookSubscription:
    """Change the given columns. Enabling it ends a pause, and what waits is sent at once.

    Disabling what is paused makes the pause somebody's wish, which nobody has to be told of.

    Raises:
        UrlNotUsable: the new URL cannot be posted to.
    """
    subscription = await queries.get_subscription(tx.session, subscription_id, by, lock=True)
    if "url" in changes:
        require_usable(changes["url"])
    if "is_enabled" in changes:
        changes |= {"paused_at": None, "pause_reason": None, "failures": 0, "failing_since": None}
    change_row(subscription, changes, tx.now)
    await tx.flush()
    if changes.get("is_enabled") or "url" in changes:
        await hurry(tx, subscription_id)
    return subscription


async def hurry(tx: Tx, subscription_id: UUID) -> None:
    """Let what waits for its next attempt be tried at once."""
    await tx.session.execute(
        update(WebhookDelivery)
        .where(
            WebhookDelivery.subscription_id == subscription_id,
            WebhookDelivery.status == DeliveryStatus.PENDING,
            WebhookDelivery.due_at > tx.now,
        )
        .values(due_at=tx.now)
        .execution_options(synchronize_session=False)
    )


async def delete_subscription(tx: Tx, subscription_id: UUID, *, by: Principal) -> None:
    """Delete it, together with its delivery log and with what was still to be sent."""
    subscription = await queries.get_subscription(tx.session, subscription_id, by, lock=True)
    await tx.session.delete(subscription)
    await tx.flush()


async def rotate_secret(
    tx: Tx, subscription_id: UUID, keep_previous: timedelta, *, by: Principal
) -> WebhookSubscription:
    """Give it a new secret; the present one signs beside it for a while.

    At most two secrets sign: one that was still kept from an earlier rotation ends now.
    """
    subscription = await queries.get_subscription(tx.session, subscription_id, by, lock=True)
    kept = {
        "previous_secret": subscription.secret if keep_previous else None,
        "previous_secret_expires_at": tx.now + keep_previous if keep_previous else None,
    }
    change_row(subscription, {**kept, "secret": make_secret()}, tx.now)
    await tx.flush()
    return subscription


async def redeliver(
    tx: Tx, subscription_id: UUID, delivery_id: UUID, *, by: Principal
) -> WebhookDelivery:
    """Send an event again, with the same id and body; the incident's later ones wait for it.

    Raises:
        StillOnItsWay: it has not ended yet.
    """
    await queries.get_subscription(tx.session, subscription_id, by, lock=True)
    delivery = await queries.get_delivery(tx.session, subscription_id, delivery_id, lock=True)
    if delivery.status not in OVER:
        raise StillOnItsWay
    delivery.status = DeliveryStatus.PENDING
    delivery.due_at = tx.now
    delivery.delivered_at = None
    await tx.flush()
    return delivery


async def send_ping(tx: Tx, subscription_id: UUID, *, by: Principal) -> WebhookDelivery:
    """Have a ping sent, once, even while the subscription is not enabled."""
    await queries.get_subscription(tx.session, subscription_id, by, lock=True)
    delivery = WebhookDelivery(
        id=new_id(),
        subscription_id=subscription_id,
        sequence=0,
        kind=body.PING,
        body=body.of_ping(tx.now),
        status=DeliveryStatus.PENDING,
        attempts=0,
        due_at=tx.now,
        trace_context=tx.trace_of(),
        created_at=tx.now,
    )
    tx.session.add(delivery)
    await tx.flush()
    return delivery


async def forget_old(tx: Tx) -> int:
    """Delete deliveries that ended and were made 30 days ago; return how many."""
    old = (
        select(WebhookDelivery.id)
        .where(WebhookDelivery.created_at < tx.now - LOG_KEPT, WebhookDelivery.status.in_(OVER))
        .limit(FORGOTTEN_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    gone = await tx.session.scalars(
        delete(WebhookDelivery).where(WebhookDelivery.id.in_(old)).returning(WebhookDelivery.id)
    )
    return len(gone.all())
