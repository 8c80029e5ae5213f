"""What is old goes, what anybody needs stays, and nobody has to wait."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, func, select, update
from tests import factories
from tests.stage import Stage

from incident_service.alerts.models import Alert, AlertStatus
from incident_service.cli.pruning import report
from incident_service.core.audit import AuditEntry
from incident_service.core.db import Transactions, Tx
from incident_service.core.ids import new_id
from incident_service.escalation.models import EscalationJob
from incident_service.incidents.lifecycle import Status
from incident_service.incidents.models import Incident, IncidentEvent
from incident_service.notifications.models import (
    Notification,
    NotificationStatus,
    Page,
    PageAttempt,
    PageStatus,
)
from incident_service.notifications.notes import send_note
from incident_service.retention.jobs import batches, prune_all
from incident_service.retention.pruning import INCIDENTS_AT_ONCE, KINDS, ROWS_AT_ONCE
from incident_service.retention.terms import Terms
from incident_service.subscriptions import actions as subscriptions
from incident_service.subscriptions.models import DeliveryStatus, WebhookDelivery
from incident_service.subscriptions.schemas import SubscriptionCreate
from incident_service.web.idempotency.models import IdempotencyKey

YEAR, DAY = timedelta(days=365), timedelta(days=1)
INCIDENTS, ALERTS, NOTES, AUDIT, KEYS = KINDS
THEIRS = (Alert, IncidentEvent, EscalationJob, Notification, Page, PageAttempt)


async def make_closed(stage: Stage, *names: str, pages: int = 1) -> list[Incident]:
    """Incidents with everything that one can have; all are told of by the same pages."""
    for name in names:
        await stage.fire(name)
    made = (await stage.incidents())[-len(names) :]
    await tell(stage, made, pages)
    for name, incident in zip(names, made, strict=True):
        await stage.do("acknowledge", incident, by=stage.first)
        await stage.clear(name)
        await stage.do("close", incident)
    async with stage.transactions.open() as tx:
        await tx.session.execute(
            delete(Notification).where(Notification.status == NotificationStatus.PENDING)
        )
    return await stage.rows(select(Incident).where(Incident.id.in_([each.id for each in made])))


async def tell(stage: Stage, incidents: Sequence[Incident], pages: int = 1) -> None:
    """Have the notifications of the incidents sent."""
    async with stage.transactions.open() as tx:
        for _ in range(pages):
            method = await tx.session.scalar(select(Notification.contact_method_id).limit(1))
            page = Page(
                id=new_id(),
                contact_method_id=method,
                channel="webhook",
                priority="high",
                status=PageStatus.SENT,
                attempts=1,
                created_at=tx.now,
            )
            tx.session.add(page)
            await tx.flush()
            tx.session.add(PageAttempt(page_id=page.id, number=1, started_at=tx.now))
        await tx.session.execute(
            update(Notification)
            .where(Notification.incident_id.in_([each.id for each in incidents]))
            .values(status=NotificationStatus.SENT, page_id=page.id)
        )


async def left(stage: Stage, *tables: Any) -> dict[str, int]:
    async with stage.transactions.open() as tx:
        return {
            table.__tablename__: await tx.session.scalar(select(func.count()).select_from(table))
            or 0
            for table in tables
        }


async def prune(stage: Stage, keep: timedelta = YEAR) -> Counter[str]:
    return await prune_all(stage.transactions, INCIDENTS, stage.clock.now - keep)


async def numbers(stage: Stage) -> list[int]:
    return [incident.number for incident in await stage.incidents()]


async def test_an_old_incident_goes_with_all_that_is_its_own(stage):
    await make_closed(stage, "Disk", "Memory")
    before = await left(stage, Incident, *THEIRS)
    stage.clock.now += YEAR + DAY

    gone = await prune(stage)

    assert all(before.values())
    assert set((await left(stage, Incident, *THEIRS)).values()) == {0}
    assert gone == {
        "incidents": before["incidents"],
        "alerts": before["alerts"],
        "events": before["incident_events"],
        "timers": before["escalation_jobs"],
        "notifications": before["notifications"],
        "pages": before["pages"],
    }


async def test_only_what_was_closed_long_ago_goes(stage):
    clock, expected = stage.clock, set()
    async with stage.transactions.open() as tx:
        for status, created, closed in product(Status, (0, 300, 364, 366, 900), (0, 364, 366)):
            if closed > created:
                continue
            is_closed = status is Status.CLOSED
            incident = await factories.make_incident(
                tx,
                stage.service,
                status=status,
                created_at=clock.now - timedelta(days=created),
                closed_at=clock.now - timedelta(days=closed) if is_closed else None,
            )
            if not is_closed or closed < 365:
                expected.add(incident.id)

    await prune(stage)

    assert {incident.id for incident in await stage.incidents()} == expected


async def test_an_incident_whose_alert_still_fires_stays(stage):
    await stage.fire("Disk")
    incident = await stage.incident()
    await stage.mark_sent()
    await stage.do("resolve", incident, until_clear=True)
    await stage.do("close", incident)
    await stage.mark_sent()
    stage.clock.now += YEAR + DAY

    first = await prune(stage)
    again = await stage.fire("Disk")
    await stage.clear("Disk")
    second = await prune(stage)

    assert first.total() == 0
    assert again == ["repeated"]
    assert second["incidents"] == 1


async def test_an_alert_that_may_fire_again_keeps_its_incident(stage):
    await make_closed(stage, "Disk")
    stage.clock.now += YEAR + DAY
    async with stage.transactions.open() as tx:
        await tx.session.execute(update(Alert).values(refire_at=tx.now))

    assert (await prune(stage)).total() == 0


async def test_what_is_still_to_be_sent_keeps_its_incident(stage):
    await make_closed(stage, "Disk")
    stage.clock.now += YEAR + DAY
    async with stage.transactions.open() as tx:
        await tx.session.execute(update(Notification).values(status=NotificationStatus.PENDING))

    assert (await prune(stage)).total() == 0


async def subscribe(stage: Stage) -> UUID:
    wanted = SubscriptionCreate(
        team_id=stage.team.id, name="Chat", url="https://hooks.example/incidents"
    )
    async with stage.transactions.open() as tx:
        made = await subscriptions.create_subscription(tx, wanted, by=stage.principal)
    return made.id


async def test_events_that_a_subscriber_has_not_read_keep_their_incident(stage):
    subscription_id = await subscribe(stage)
    await make_closed(stage, "Disk")
    stage.clock.now += YEAR + DAY

    unread = await prune(stage)
    async with stage.transactions.open() as tx:
        await subscriptions.update_subscription(
            tx, subscription_id, {"is_enabled": False}, by=stage.principal
        )
    nobody_reads = await prune(stage)

    assert unread.total() == 0
    assert nobody_reads["incidents"] == 1


async def test_a_delivery_on_its_way_outlives_its_incident(stage):
    (incident,) = await make_closed(stage, "Disk")
    subscription_id = await subscribe(stage)
    async with stage.transactions.open() as tx:
        tx.session.add(
            WebhookDelivery(
                id=new_id(),
                subscription_id=subscription_id,
                incident_id=incident.id,
                event_position=1,
                sequence=1,
                kind="opened",
                body="{}",
                status=DeliveryStatus.PENDING,
                attempts=3,
                due_at=tx.now,
                created_at=tx.now,
            )
        )
    stage.clock.now += YEAR + DAY

    gone = await prune(stage)

    assert gone["incidents"] == 1
    assert await stage.rows(select(WebhookDelivery.status)) == [DeliveryStatus.PENDING]


async def test_a_later_incident_no_longer_names_the_one_that_is_gone(stage):
    (old,) = await make_closed(stage, "Disk")
    stage.clock.now += YEAR + DAY
    await stage.refire("Disk")
    before = (await stage.incidents())[-1]

    await prune(stage)

    after = await stage.incident()
    assert before.previous_incident_id == old.id
    assert (after.id, after.previous_incident_id) == (before.id, None)
    assert (after.status, await stage.violations()) == (Status.OPEN, [])


async def test_a_page_goes_with_the_last_incident_that_it_told_of(stage):
    first, second = await make_closed(stage, "Disk", "Memory")
    stage.clock.now += YEAR + DAY
    async with stage.transactions.open() as tx:
        await tx.session.execute(
            update(Incident).where(Incident.id == second.id).values(closed_at=tx.now)
        )

    await prune(stage)
    with_one = await left(stage, Page, Incident)
    stage.clock.now += YEAR + DAY
    await prune(stage)

    assert with_one == {"pages": 1, "incidents": 1}
    assert await left(stage, Page, Incident) == {"pages": 0, "incidents": 0}
    assert first.id != second.id


async def make_many(tx: Tx, stage: Stage, count: int) -> list[Incident]:
    long_ago = tx.now - 2 * YEAR
    return [
        await factories.make_incident(
            tx, stage.service, status=Status.CLOSED, created_at=long_ago, closed_at=long_ago
        )
        for _ in range(count)
    ]


async def test_many_go_in_batches_and_a_second_time_there_is_nothing(stage):
    async with stage.transactions.open() as tx:
        await make_many(tx, stage, 2 * INCIDENTS_AT_ONCE + 3)

    taken = [
        batch.gone["incidents"]
        async for batch in batches(stage.transactions, INCIDENTS, stage.clock.now - YEAR)
    ]

    assert taken == [INCIDENTS_AT_ONCE, INCIDENTS_AT_ONCE, 3]
    assert (await prune(stage)).total() == 0


async def test_two_at_once_take_each_incident_once(stage):
    async with stage.transactions.open() as tx:
        await make_many(tx, stage, 3 * INCIDENTS_AT_ONCE)

    both = await asyncio.gather(prune(stage), prune(stage))

    last = await prune(stage)  # what both have left to each other
    assert sum(gone["incidents"] for gone in (*both, last)) == 3 * INCIDENTS_AT_ONCE
    assert await stage.incidents() == []


async def test_one_with_very_much_goes_in_pieces(stage):
    await make_closed(stage, "Disk")
    (alert,) = await stage.alerts()
    columns = [column.name for column in Alert.__table__.columns]
    async with stage.transactions.open() as tx:
        for number in range(ROWS_AT_ONCE + 50):
            values = {name: getattr(alert, name) for name in columns}
            tx.add_row(Alert, values | {"id": new_id(), "fingerprint": f"more {number}"})
    stage.clock.now += YEAR + DAY

    taken = [
        batch.gone["alerts"]
        async for batch in batches(stage.transactions, INCIDENTS, stage.clock.now - YEAR)
    ]

    assert taken == [ROWS_AT_ONCE, 51]
    assert await stage.incidents() == []


LATER = select(Incident.id).where(Incident.status == Status.OPEN)
HELD = {
    "the incident": select(Incident.id).where(Incident.status == Status.CLOSED),
    "its alert": select(Alert.id).where(Alert.status == AlertStatus.RESOLVED),
    "its page": select(Page.id),
    "a later incident": LATER,
}


@pytest.mark.parametrize("what", HELD)
async def test_what_somebody_works_on_is_left_and_not_waited_for(stage, what):
    await make_closed(stage, "Disk")
    stage.clock.now += YEAR + DAY
    await stage.refire("Disk")

    async with stage.transactions.open() as busy:
        await busy.session.execute(HELD[what].with_for_update())
        async with asyncio.timeout(5):
            meanwhile = await prune(stage)
        links = await stage.rows(LATER.where(Incident.previous_incident_id.is_not(None)))
    afterwards = await prune(stage)

    assert meanwhile.total() == 0
    assert len(links) == 1
    assert (afterwards["incidents"], afterwards["alerts"]) == (1, 1)


async def test_alerts_and_verbs_on_the_same_incidents_lose_nothing_meanwhile(stage):
    names = [f"Alert {number}" for number in range(12)]
    await make_closed(stage, *names)
    for _ in range(2):  # each key has a history of several
        stage.clock.now += DAY
        for name in names:
            await stage.refire(name)
        active = [each for each in await stage.incidents() if each.status is Status.OPEN]
        await tell(stage, active)
        for name, incident in zip(names, active, strict=True):
            await stage.clear(name)
            await stage.do("close", incident)
    await stage.mark_sent()
    stage.clock.now += YEAR + DAY

    async def send() -> None:
        for name in names:
            await stage.refire(name)

    async def answer() -> None:
        for name in names:
            for incident in await stage.incidents():
                if incident.status is Status.OPEN and incident.title.startswith(name):
                    await stage.do("acknowledge", incident, by=stage.first)

    await asyncio.gather(send(), prune(stage), send(), prune(stage), answer(), prune(stage))
    await prune(stage)

    remaining = await stage.incidents()
    alerts = await stage.alerts()
    assert len(remaining) == len(names)
    assert all(incident.status.is_active for incident in remaining)
    assert {alert.incident_id for alert in alerts} == {incident.id for incident in remaining}
    assert [alert.status for alert in alerts] == [AlertStatus.FIRING] * len(names)
    assert await stage.violations() == []


async def test_alerts_without_an_incident_go_once_they_are_over(stage):
    month = timedelta(days=30)
    await stage.clear("Never fired", "Held")
    await stage.fire("Fires")
    async with stage.transactions.open() as tx:
        held = update(Alert).where(Alert.title.like("%Held%"))
        await tx.session.execute(held.values(refire_at=tx.now))
        fires = update(Alert).where(Alert.status == AlertStatus.FIRING)
        await tx.session.execute(fires.values(incident_id=None))
    stage.clock.now += month + DAY
    await stage.clear("Heard of today")

    gone = await prune_all(stage.transactions, ALERTS, stage.clock.now - month)

    assert gone == {"alerts without incident": 1}
    assert len(await stage.alerts()) == 3


async def test_notes_go_when_they_are_through(stage, transactions):
    async with transactions.open() as tx:
        done = await send_note(tx, await factories.make_contact_method(tx, stage.first), "A test.")
        done.status = PageStatus.SENT
        method = await factories.make_contact_method(tx, stage.first)
        waiting = await send_note(tx, method, "A test.")
    stage.clock.now += YEAR

    gone = await prune_all(transactions, NOTES, stage.clock.now - timedelta(days=30))

    assert gone == {"notes": 1}
    assert await stage.rows(select(Page.id)) == [waiting.id]


async def test_old_entries_of_the_audit_log_go_and_younger_ones_stay(stage, transactions):
    now: datetime = stage.clock.now
    async with transactions.open() as tx:
        for age in (700, 729, 731, 900):
            tx.add_row(
                AuditEntry,
                {
                    "id": new_id(),
                    "at": now - timedelta(days=age),
                    "action": f"aged_{age}",
                    "actor_type": "system",
                    "actor_name": "test",
                },
            )

    gone = await prune_all(transactions, AUDIT, now - timedelta(days=730))

    found = select(AuditEntry.action).where(AuditEntry.action.like("aged%"))
    assert gone == {"audit entries": 2}
    assert await stage.rows(found) == ["aged_700", "aged_729"]


async def test_a_dry_run_counts_and_leaves_everything(stage):
    await make_closed(stage, "Disk", "Memory")
    stage.clock.now += YEAR + DAY
    terms = Terms(incidents=YEAR, alerts=DAY, notes=DAY)

    counted = await report(stage.transactions, terms, dry_run=True)
    kept = len(await stage.incidents())
    done = await report(stage.transactions, terms, dry_run=False)

    day = f"{stage.clock.now - YEAR:%Y-%m-%d}"
    assert counted[0] == f"incidents until {day}: 2 would go"
    assert kept == 2
    assert done[0].startswith(f"incidents until {day}: 2 alerts, ")
    assert done[1].endswith("nothing to forget")
    assert done[3] == "audit entries: kept for ever"


async def test_what_is_kept_for_ever_is_never_looked_for(stage, transactions: Transactions):
    told = await report(transactions, Terms(), dry_run=False)

    is_forgotten = KINDS.index(KEYS)  # whatever the settings say
    assert told[is_forgotten].endswith("nothing to forget")
    del told[is_forgotten]
    assert told == [f"{kind.name}: kept for ever" for kind in KINDS if kind is not KEYS]


async def test_the_answers_to_repeated_requests_go_after_a_day(stage, api):
    answers = select(IdempotencyKey.key).order_by(IdempotencyKey.key)
    for key in ("1", "2"):
        body = {"name": f"Team {key}"}
        await api.post("/v1/teams", json=body, headers={"Idempotency-Key": key})
        stage.clock.advance(hours=12)

    told = await report(stage.transactions, Terms(), dry_run=False)

    assert told[KINDS.index(KEYS)].endswith("1 idempotency keys gone")
    assert await stage.rows(answers) == ["2"]
