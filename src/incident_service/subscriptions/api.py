"""HTTP: webhook subscriptions and their delivery log."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Depends

from incident_service.core.db import Tx
from incident_service.subscriptions import actions, queries
from incident_service.subscriptions.models import DeliveryStatus
from incident_service.subscriptions.schemas import (
    DeliveryPage,
    DeliveryRead,
    SecretRotation,
    SubscriptionCreate,
    SubscriptionPage,
    SubscriptionRead,
    SubscriptionUpdate,
    SubscriptionWithSecret,
)
from incident_service.teams.auth import Manager, Principal, Reader
from incident_service.teams.repeatable import RepeatableRoute
from incident_service.web.conditional import IfMatch, IfNoneMatch, Tagged
from incident_service.web.lists.pagination import PageQuery, page_query
from incident_service.web.request import InTx

router = APIRouter(
    prefix="/webhook-subscriptions", tags=["webhook subscriptions"], route_class=RepeatableRoute
)
CONFLICTS: dict[str, str] = {}


async def locked(tx: Tx, subscription_id: UUID, principal: Principal) -> SubscriptionRead:
    """Lock the subscription, and show it."""
    found = await queries.get_subscription(tx.session, subscription_id, principal, lock=True)
    return SubscriptionRead.model_validate(found)


@router.get("")
async def list_webhook_subscriptions(
    tx: InTx,
    principal: Reader,
    page: Annotated[PageQuery, Depends(page_query)],
    team_id: UUID | None = None,
) -> SubscriptionPage:
    """List subscriptions, oldest first."""
    rows, next_cursor = await queries.list_subscriptions(
        tx.session, principal, page, team_id=team_id
    )
    items = [SubscriptionRead.model_validate(row) for row in rows]
    return SubscriptionPage(items=items, next_cursor=next_cursor)


@router.post("", status_code=201)
async def create_webhook_subscription(
    tx: InTx, principal: Manager, body: SubscriptionCreate, tagged: Tagged
) -> SubscriptionWithSecret:
    """Have incident events posted to a URL. The secret is shown in this answer only.

    Each event comes as `{"type": "incident.<kind>", "timestamp", "data": {"incident", "event"}}`,
    signed by the Standard Webhooks convention, at least once, and in order for each incident. Any
    answer but 2xx is tried again; 410, or failing for 24 h, pauses the subscription, and the
    managers of its team, or else the fallback contact, are told.
    """
    subscription = await actions.create_subscription(tx, body, by=principal)
    return tagged.show(SubscriptionWithSecret.model_validate(subscription))


@router.get("/{subscription_id}")
async def get_webhook_subscription(
    tx: InTx, principal: Reader, subscription_id: UUID, known: IfNoneMatch
) -> SubscriptionRead:
    """Show one subscription, and how its receiver fares."""
    subscription = await queries.get_subscription(tx.session, subscription_id, principal)
    return known.show(SubscriptionRead.model_validate(subscription))


@router.patch("/{subscription_id}")
async def update_webhook_subscription(
    tx: InTx, principal: Manager, subscription_id: UUID, body: SubscriptionUpdate, seen: IfMatch
) -> SubscriptionRead:
    """Change a subscription. `"is_enabled": true` also ends a pause."""
    await seen.require(locked, tx, subscription_id, principal)
    subscription = await actions.update_subscription(
        tx, subscription_id, body.changes(), by=principal
    )
    return seen.show(SubscriptionRead.model_validate(subscription))


@router.delete("/{subscription_id}", status_code=204)
async def delete_webhook_subscription(
    tx: InTx, principal: Manager, subscription_id: UUID, seen: IfMatch
) -> None:
    """Delete a subscription and its delivery log; what was still to be sent is not sent."""
    await seen.require(locked, tx, subscription_id, principal)
    await actions.delete_subscription(tx, subscription_id, by=principal)


@router.post("/{subscription_id}/rotate-secret")
async def rotate_webhook_subscription_secret(
    tx: InTx,
    principal: Manager,
    subscription_id: UUID,
    tagged: Tagged,
    body: Annotated[SecretRotation | None, Body()] = None,
) -> SubscriptionWithSecret:
    """Give a subscription a new secret, shown in this answer only.

    For a while each webhook carries two signatures, the other one by the secret before.
    """
    keep = timedelta(minutes=(body or SecretRotation()).keep_previous_minutes)
    subscription = await actions.rotate_secret(tx, subscription_id, keep, by=principal)
    return tagged.show(SubscriptionWithSecret.model_validate(subscription))


@router.post("/{subscription_id}/test", status_code=202)
async def test_webhook_subscription(
    tx: InTx, principal: Manager, subscription_id: UUID
) -> DeliveryRead:
    """Send a `ping` soon, once; the deliveries show what came of it."""
    delivery = await actions.send_ping(tx, subscription_id, by=principal)
    return DeliveryRead.model_validate(delivery)


@router.get("/{subscription_id}/deliveries")
async def list_webhook_deliveries(
    tx: InTx,
    principal: Reader,
    subscription_id: UUID,
    page: Annotated[PageQuery, Depends(page_query)],
    status: DeliveryStatus | None = None,
) -> DeliveryPage:
    """List what was and will be sent, newest first. What ended is kept for 30 days."""
    await queries.get_subscription(tx.session, subscription_id, principal)
    rows, next_cursor = await queries.list_deliveries(tx.session, subscription_id, page, status)
    items = [DeliveryRead.model_validate(row) for row in rows]
    return DeliveryPage(items=items, next_cursor=next_cursor)


@router.post("/{subscription_id}/deliveries/{delivery_id}/redeliver", status_code=202)
async def redeliver_webhook(
    tx: InTx, principal: Manager, subscription_id: UUID, delivery_id: UUID
) -> DeliveryRead:
    """Send an event again, under the same `webhook-id`. Later ones of its incident wait for it."""
    delivery = await actions.redeliver(tx, subscription_id, delivery_id, by=principal)
    return DeliveryRead.model_validate(delivery)
