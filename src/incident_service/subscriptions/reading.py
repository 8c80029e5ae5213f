"""Make incident events into deliveries, each once, and none too early.

`incidents.following` says when an event is final, and why earlier ones of its incident go with it:
the unique index drops those when the cursor comes by.
"""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert

from incident_service.core.db import Tx
from incident_service.core.ids import new_id
from incident_service.incidents import following
from incident_service.incidents.models import Incident, IncidentEvent
from incident_service.subscriptions import body, queries
from incident_service.subscriptions.models import (
    DeliveryStatus,
    WebhookDelivery,
    WebhookSubscription,
)

EVENTS_AT_ONCE = 200
Found = tuple[Incident, IncidentEvent]


async def read(tx: Tx, subscription_ids: Collection[UUID]) -> int:
    """Read on for each subscription, a bounded step; return how many events were read."""
    subscriptions = await queries.lock_enabled(tx.session, subscription_ids)
    return sum([await read_for(tx, subscription) for subscription in subscriptions])


async def read_for(tx: Tx, subscription: WebhookSubscription) -> int:
    """Make the next events into deliveries, and move the cursor behind them."""
    xact, position = subscription.read_xact, subscription.read_position
    final = await queries.find_final_events(tx.session, xact, position, EVENTS_AT_ONCE)
    if not final:
        return 0
    ours = [Incident.team_id == subscription.team_id] if subscription.team_id else []
    found = await following.load_up_to(
        tx.session, following.last_of(final), *ours, xact=xact, position=position
    )
    await add_deliveries(tx, subscription, found)
    subscription.read_xact, subscription.read_position = final[-1].xact, final[-1].position
    await tx.flush()
    return len(final)


async def add_deliveries(tx: Tx, subscription: WebhookSubscription, found: Sequence[Found]) -> None:
    """Add a delivery for each event that the subscription wants and does not have."""
    rows = [
        {
            "id": new_id(),
            "subscription_id": subscription.id,
            "incident_id": incident.id,
            "event_position": event.position,
            "sequence": event.sequence,
            "kind": event.kind,
            "body": body.of_event(incident, event),
            "status": DeliveryStatus.PENDING,
            "attempts": 0,
            "due_at": tx.now,
            "trace_context": event.trace_context,
            "created_at": tx.now,
        }
        for incident, event in found
        if not subscription.kinds or event.kind in subscription.kinds
    ]
    if rows:
        await tx.session.execute(insert(WebhookDelivery).on_conflict_do_nothing(), rows)
