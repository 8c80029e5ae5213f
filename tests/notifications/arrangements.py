"""What the tests of notifications arrange: people to tell, channels that are told how to behave."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from tests import factories
from tests.fakes import NOON

from incident_service.catalog.models import Service
from incident_service.catalog.priority import Priority
from incident_service.core.db import Transactions, Tx
from incident_service.core.ids import new_id
from incident_service.incidents.lifecycle import Status
from incident_service.incidents.models import Incident
from incident_service.notifications import actions, record
from incident_service.notifications.channels.contract import Address, DeliveryFailed
from incident_service.notifications.claim import Claim, Claimed, claim
from incident_service.notifications.delivery import Courier
from incident_service.notifications.message import OutgoingPage, PagedIncident
from incident_service.notifications.models import (
    Notification,
    NotificationKind,
    NotificationStatus,
    Page,
)
from incident_service.teams.models import Channel, ContactMethod, User

BASE_URL = "https://incidents.example"


@dataclass(frozen=True)
class Scene:
    """A service, and somebody who is told about its incidents."""

    service: Service
    user: User
    method: ContactMethod

    def recipient(self) -> actions.Recipient:
        return actions.Recipient(self.user.id, self.method.id)


async def set_scene(transactions: Transactions, **method: Any) -> Scene:
    async with transactions.open() as tx:
        team = await factories.make_team(tx)
        service = await factories.make_service(tx, team)
        user = await factories.make_user(tx, team=team, address=None)
        return Scene(service, user, await factories.make_contact_method(tx, user, **method))


async def ask(
    tx: Tx,
    scene: Scene,
    incident: Incident,
    *,
    kind: NotificationKind = NotificationKind.PAGE,
    recipient: actions.Recipient | None = None,
) -> None:
    """Have the scene's person, or another recipient, told about one incident."""
    await actions.request(
        tx,
        [
            actions.Request(
                incident_id=incident.id,
                escalation_job_id=None,
                epoch=incident.escalation_epoch,
                kind=kind,
                reason="level 1 of the policy",
                level=1,
                repeat=1,
                priority=Priority.HIGH,
                recipients=(recipient or scene.recipient(),),
            )
        ],
    )


async def page_about(
    transactions: Transactions,
    scene: Scene,
    count: int = 1,
    *,
    kind: NotificationKind = NotificationKind.PAGE,
    **incident: Any,
) -> list[Incident]:
    """Make incidents about which the scene's person is due to be told."""
    async with transactions.open() as tx:
        made = [await factories.make_incident(tx, scene.service, **incident) for _ in range(count)]
        for one in made:
            await ask(tx, scene, one, kind=kind)
    return made


async def change(transactions: Transactions, incident: Incident, **changes: Any) -> None:
    """Change an incident behind the back of its verbs: nothing is cancelled."""
    async with transactions.open() as tx:
        row = await tx.session.get_one(Incident, incident.id)
        for name, value in changes.items():
            setattr(row, name, value)


async def acknowledge(transactions: Transactions, incident: Incident) -> None:
    await change(transactions, incident, status=Status.ACKNOWLEDGED)


async def claim_once(transactions: Transactions, scene: Scene) -> Claim:
    async def work(tx: Tx) -> Claim:
        return await claim(tx, scene.method.id, BASE_URL)

    return await transactions.run(work)


async def claim_page(transactions: Transactions, scene: Scene) -> Claimed:
    claimed = await claim_once(transactions, scene)
    assert isinstance(claimed, Claimed)
    return claimed


async def sent(transactions: Transactions, claimed: Claimed) -> record.Outcome:
    async with transactions.open() as tx:
        return await record.succeeded(tx, claimed, "200")


async def failed(
    transactions: Transactions, claimed: Claimed, failure: DeliveryFailed
) -> record.Outcome:
    async with transactions.open() as tx:
        return await record.failed(tx, claimed, failure, jitter=0.0)


async def statuses(transactions: Transactions) -> list[NotificationStatus]:
    """Return the status of every notification, oldest first."""
    async with transactions.open() as tx:
        return list(await tx.session.scalars(select(Notification.status).order_by(Notification.id)))


async def pages(transactions: Transactions) -> list[Page]:
    async with transactions.open() as tx:
        return list(await tx.session.scalars(select(Page).order_by(Page.id)))


async def somebody_waits_for_a_lock(transactions: Transactions) -> None:
    """Return once another connection is held up by a lock."""
    async with asyncio.timeout(5), transactions.open() as tx:
        while not await tx.session.scalar(
            text(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
        ):
            pass


def numbers(page: OutgoingPage) -> list[int]:
    return [incident.number for incident in page.incidents]


class ScriptedChannel:
    """Takes pages; `script` names what goes wrong first, `during` what happens meanwhile."""

    def __init__(self, *script: Exception) -> None:
        self.script = list(script)
        self.pages: list[OutgoingPage] = []
        self.addresses: list[Address] = []
        self.during: Callable[[], Any] | None = None

    async def send(self, page: OutgoingPage, to: Address) -> str:
        self.pages.append(page)
        self.addresses.append(to)
        if self.during:
            await self.during()
        if self.script:
            raise self.script.pop(0)
        return "200"

    @property
    def page_ids(self) -> list[UUID]:
        return [page.id for page in self.pages]


class StuckChannel:
    """Takes a page and does not come back before `released` is set."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.released = asyncio.Event()

    async def send(self, page: OutgoingPage, to: Address) -> str:
        self.started.set()
        await self.released.wait()
        return "200"


def make_courier(transactions: Transactions, channel: ScriptedChannel | StuckChannel) -> Courier:
    return Courier(transactions, {Channel.WEBHOOK: channel}, BASE_URL, jitter=lambda: 0.0)


def temporary() -> DeliveryFailed:
    return DeliveryFailed("The receiver answered 503.")


def permanent() -> DeliveryFailed:
    return DeliveryFailed("The receiver answered 404.", permanent=True)


PAGED = PagedIncident(
    id=UUID("019a4b2e-8d10-7c3a-9f21-5d0e6c7b8a91"),
    number=12,
    title="Disk of db1 is full",
    status=Status.OPEN,
    priority=Priority.CRITICAL,
    kind=NotificationKind.PAGE,
    level=2,
    repeat=1,
    reason="level 2 of the policy",
    labels={"alertname": "DiskFull", "instance": "db1"},
    annotations={"summary": "3 % left on /var"},
    url=f"{BASE_URL}/v1/incidents/019a4b2e-8d10-7c3a-9f21-5d0e6c7b8a91",
    service="storage",
    team="databases",
    created_at=NOON,
)


def outgoing(*incidents: PagedIncident, **changes: Any) -> OutgoingPage:
    """Make a page about `incidents`, or about one full disk."""
    page = OutgoingPage(new_id(), Priority.CRITICAL, incidents or (PAGED,), NOON)
    return replace(page, **changes)
