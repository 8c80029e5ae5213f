"""What the tests of subscriptions arrange: subscriptions, events, and somebody who delivers."""

from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from tests import factories
from tests.fakes import FrozenClock
from tests.subscriptions.receiver import EventReceiver

from incident_service.catalog.models import Service
from incident_service.core.clock import monotonic_s
from incident_service.core.db import Transactions, Tx
from incident_service.core.ids import new_id
from incident_service.core.outbound import Outbound
from incident_service.incidents import locks, timeline
from incident_service.incidents.following import find_horizon
from incident_service.incidents.models import Incident
from incident_service.incidents.timeline import EventKind
from incident_service.subscriptions import actions
from incident_service.subscriptions.claim import Claimed, claim
from incident_service.subscriptions.dispatch import Dispatcher
from incident_service.subscriptions.jobs import unread_events
from incident_service.subscriptions.models import WebhookDelivery, WebhookSubscription
from incident_service.subscriptions.schemas import SubscriptionCreate
from incident_service.teams.auth import Principal
from incident_service.teams.models import Scope, Team

LOOPBACK = (ip_network("127.0.0.0/8"),)
ANYBODY = Principal(new_id(), "test key", frozenset(Scope))
HORIZON_S = 20.0


@dataclass
class Desk:
    """A team with a service, a receiver, and the two sweeps of the worker."""

    transactions: Transactions
    clock: FrozenClock
    receiver: EventReceiver
    dispatcher: Dispatcher
    outbound: Outbound
    team: Team
    service: Service

    async def subscribe(self, path: str = "hook", **wanted: Any) -> WebhookSubscription:
        body = {"team_id": self.team.id, "name": path, "url": self.receiver.url(path)} | wanted
        async with self.transactions.open() as tx:
            return await actions.create_subscription(
                tx, SubscriptionCreate.model_validate(body), by=ANYBODY
            )

    async def incident(self, title: str = "Disk full", **changes: Any) -> Incident:
        async with self.transactions.open() as tx:
            return await factories.make_incident(tx, self.service, title=title, **changes)

    async def happen(self, incident: Incident, *kinds: EventKind) -> None:
        """Record events, each in a transaction of its own."""
        for kind in kinds:
            async with self.transactions.open() as tx:
                await record(tx, incident, kind)

    async def read(self) -> None:
        """Make everything that is committed by now into deliveries.

        Other tests use the same server: what is final has to wait for their transactions.
        """
        async with self.transactions.open() as tx:
            statement = text("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
            now = (await tx.session.execute(statement)).scalar_one()
        give_up_at_s = monotonic_s() + HORIZON_S
        while True:
            async with self.transactions.open() as tx:
                if await find_horizon(tx.session) >= now:
                    break
            assert monotonic_s() < give_up_at_s, "another transaction never ended"
        await self.read_final()

    async def read_final(self) -> int:
        """Let the worker read once."""
        return (await unread_events(self.transactions).sweep()).done

    async def send(self) -> None:
        """Send what is due, until nothing is."""
        while (await self.dispatcher.sweep()).done:
            pass

    async def run(self) -> None:
        """Read and send."""
        await self.read()
        await self.send()

    async def claim(self, subscription: WebhookSubscription) -> Claimed | None:
        return await self.transactions.run(lambda tx: claim(tx, subscription.id))

    async def again(self, subscription: WebhookSubscription) -> WebhookSubscription:
        """The subscription as it stands now."""
        async with self.transactions.open() as tx:
            found = await tx.session.get(WebhookSubscription, subscription.id)
        assert found
        return found

    async def change(self, subscription: WebhookSubscription, **changes: Any) -> None:
        async with self.transactions.open() as tx:
            await actions.update_subscription(tx, subscription.id, changes, by=ANYBODY)

    async def redeliver(self, subscription: WebhookSubscription, delivery_id: UUID) -> None:
        async with self.transactions.open() as tx:
            await actions.redeliver(tx, subscription.id, delivery_id, by=ANYBODY)

    async def deliveries(self) -> list[WebhookDelivery]:
        async with self.transactions.open() as tx:
            rows = await tx.session.scalars(select(WebhookDelivery).order_by(WebhookDelivery.id))
            return list(rows)

    async def statuses(self) -> list[str]:
        return [delivery.status.value for delivery in await self.deliveries()]


async def record(tx: Tx, incident: Incident, kind: EventKind) -> None:
    """Record an event as the verbs do: under the incident's lock."""
    locked = await locks.lock(tx.session, [incident.id])
    timeline.record(tx, locked[incident.id], kind)
    await tx.flush()
