import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from tests import factories
from tests.fakes import FrozenClock, RememberingQueue
from tests.notifications.arrangements import (
    Scene,
    acknowledge,
    ask,
    change,
    claim_once,
    claim_page,
    numbers,
    page_about,
    pages,
    sent,
    set_scene,
    somebody_waits_for_a_lock,
    statuses,
)

from incident_service import jobs
from incident_service.catalog.priority import Priority
from incident_service.core.db import Transactions, Tx
from incident_service.core.ids import new_id
from incident_service.incidents.lifecycle import Status
from incident_service.notifications import actions
from incident_service.notifications.claim import (
    LEASE,
    Claimed,
    Dropped,
    Held,
    NothingDue,
    claim,
)
from incident_service.notifications.models import (
    Notification,
    NotificationKind,
    NotificationStatus,
    PageStatus,
)
from incident_service.teams.models import ContactMethod, User

CANCELLED, PENDING = NotificationStatus.CANCELLED, NotificationStatus.PENDING
SENDING = NotificationStatus.SENDING
SECOND = timedelta(seconds=1)


async def test_fifty_incidents_at_once_are_one_page(transactions: Transactions):
    scene = await set_scene(transactions)
    made = await page_about(transactions, scene, 50)

    claimed = await claim_page(transactions, scene)

    assert len(claimed.page.incidents) == 50
    assert {incident.id for incident in claimed.page.incidents} == {row.id for row in made}
    assert len(await pages(transactions)) == 1


async def test_the_fifty_first_incident_is_in_the_next_page(
    transactions: Transactions, clock: FrozenClock
):
    scene = await set_scene(transactions)
    *_, last = await page_about(transactions, scene, 51)
    first = await claim_page(transactions, scene)
    await sent(transactions, first)

    clock.advance(seconds=30)
    second = await claim_page(transactions, scene)

    assert numbers(second.page) == [last.number]


async def test_the_most_urgent_incidents_go_first(transactions: Transactions):
    scene = await set_scene(transactions)
    await page_about(transactions, scene, 50, priority=Priority.LOW)
    [urgent] = await page_about(transactions, scene, priority=Priority.CRITICAL)

    claimed = await claim_page(transactions, scene)

    assert claimed.page.incidents[0].number == urgent.number
    assert claimed.page.priority is Priority.CRITICAL
    assert len(claimed.page.incidents) == 50


async def test_a_second_page_waits_for_its_time_and_leaves_a_wake_up(
    transactions: Transactions, clock: FrozenClock, queue: RememberingQueue
):
    scene = await set_scene(transactions)
    await page_about(transactions, scene)
    first_at = clock.now
    await claim_page(transactions, scene)
    clock.advance(seconds=10)
    await page_about(transactions, scene)

    held = await claim_once(transactions, scene)

    assert held == Held(first_at + timedelta(seconds=30))
    assert queue.named(jobs.DELIVER)[-1].not_before == first_at + timedelta(seconds=30)
    assert await statuses(transactions) == [SENDING, PENDING]


async def test_many_who_find_an_address_held_back_leave_one_wake_up(
    transactions: Transactions, queue: RememberingQueue
):
    scene = await set_scene(transactions)
    await page_about(transactions, scene)
    await claim_page(transactions, scene)
    await page_about(transactions, scene)
    queue.jobs.clear()

    for _ in range(3):
        await claim_once(transactions, scene)

    assert len({job.key for job in queue.named(jobs.DELIVER)}) == 1


async def test_a_page_that_outranks_all_recent_ones_does_not_wait(
    transactions: Transactions, clock: FrozenClock
):
    scene = await set_scene(transactions)
    await page_about(transactions, scene, priority=Priority.MEDIUM)
    await claim_page(transactions, scene)
    clock.advance(seconds=1)
    await page_about(transactions, scene, priority=Priority.LOW)
    await page_about(transactions, scene, priority=Priority.CRITICAL)

    second = await claim_page(transactions, scene)

    assert [incident.priority for incident in second.page.incidents] == [
        Priority.CRITICAL,
        Priority.LOW,
    ]


async def test_an_address_that_does_not_bundle_gets_a_page_an_incident_at_once(
    transactions: Transactions,
):
    scene = await set_scene(transactions, bundle=False)
    made = await page_about(transactions, scene, 3)

    claimed = [await claim_page(transactions, scene) for _ in made]

    assert [numbers(one.page) for one in claimed] == [[row.number] for row in made]
    assert await claim_once(transactions, scene) == NothingDue()


async def test_82_two_notifications_about_one_incident_are_one_entry(transactions: Transactions):
    scene = await set_scene(transactions)
    [incident] = await page_about(transactions, scene)
    async with transactions.open() as tx:
        await ask(tx, scene, incident)

    claimed = await claim_page(transactions, scene)

    assert numbers(claimed.page) == [incident.number]
    assert await statuses(transactions) == [SENDING, SENDING]


async def test_a_page_shows_its_incidents(transactions: Transactions, clock: FrozenClock):
    scene = await set_scene(transactions, signing_secret="whsec_eA==")
    [incident] = await page_about(transactions, scene, title="Disk full", annotations={"a": "b"})

    claimed = await claim_page(transactions, scene)

    [shown] = claimed.page.incidents
    assert (shown.title, shown.annotations) == ("Disk full", {"a": "b"})
    assert shown.service == scene.service.name
    assert shown.url == f"https://incidents.example/v1/incidents/{incident.id}"
    assert (claimed.attempt, claimed.page.sent_at) == (1, clock.now)
    assert claimed.address.signing_secret == "whsec_eA=="


@pytest.mark.parametrize(
    "overtaken",
    [
        {"status": Status.ACKNOWLEDGED},
        {"status": Status.RESOLVED},
        {"status": Status.CLOSED},
        {"escalation_epoch": 2},
        {"snoozed_until": FrozenClock().now + SECOND},
    ],
    ids=str,
)
async def test_a_page_that_was_overtaken_is_not_made(transactions: Transactions, overtaken):
    scene = await set_scene(transactions)
    [incident] = await page_about(transactions, scene)
    await change(transactions, incident, **overtaken)

    outcome = await claim_once(transactions, scene)

    assert outcome == Dropped()
    assert await statuses(transactions) == [CANCELLED]
    assert await pages(transactions) == []


async def test_an_update_about_an_acknowledged_incident_is_sent(transactions: Transactions):
    scene = await set_scene(transactions)
    [incident] = await page_about(
        transactions, scene, kind=NotificationKind.UPDATE, status=Status.ACKNOWLEDGED
    )

    claimed = await claim_page(transactions, scene)

    assert numbers(claimed.page) == [incident.number]


async def test_an_acknowledged_member_drops_out_before_the_page_is_made(
    transactions: Transactions,
):
    scene = await set_scene(transactions)
    first, second = await page_about(transactions, scene, 2)
    await acknowledge(transactions, first)

    claimed = await claim_page(transactions, scene)

    assert numbers(claimed.page) == [second.number]
    assert await statuses(transactions) == [CANCELLED, SENDING]


async def test_nobody_joins_a_page_after_its_claim(transactions: Transactions, clock: FrozenClock):
    scene = await set_scene(transactions)
    [first] = await page_about(transactions, scene)
    await claim_page(transactions, scene)
    await page_about(transactions, scene)

    clock.now += LEASE + SECOND
    again = await claim_page(transactions, scene)

    assert numbers(again.page) == [first.number]


async def test_a_page_whose_worker_died_is_taken_up_under_its_id(
    transactions: Transactions, clock: FrozenClock
):
    scene = await set_scene(transactions)
    await page_about(transactions, scene)
    first = await claim_page(transactions, scene)

    clock.now += LEASE + SECOND
    second = await claim_page(transactions, scene)

    assert (second.page.id, second.attempt) == (first.page.id, 2)


async def test_a_page_in_flight_is_left_to_its_worker(
    transactions: Transactions, clock: FrozenClock
):
    scene = await set_scene(transactions)
    await page_about(transactions, scene)
    await claim_page(transactions, scene)

    clock.now += LEASE - SECOND

    assert await claim_once(transactions, scene) == NothingDue()


async def test_members_acknowledged_before_the_next_attempt_drop_out(
    transactions: Transactions, clock: FrozenClock
):
    scene = await set_scene(transactions)
    first, second = await page_about(transactions, scene, 2)
    await claim_page(transactions, scene)
    await acknowledge(transactions, first)

    clock.now += LEASE + SECOND
    again = await claim_page(transactions, scene)

    assert numbers(again.page) == [second.number]
    assert await statuses(transactions) == [CANCELLED, SENDING]


async def test_a_page_that_lost_all_members_is_cancelled(
    transactions: Transactions, clock: FrozenClock
):
    scene = await set_scene(transactions)
    [incident] = await page_about(transactions, scene)
    await claim_page(transactions, scene)
    await acknowledge(transactions, incident)

    clock.now += LEASE + SECOND
    outcome = await claim_once(transactions, scene)

    assert outcome == Dropped()
    [page] = await pages(transactions)
    assert page.status is PageStatus.CANCELLED


async def test_an_address_that_is_gone_has_nothing_due(transactions: Transactions):
    async with transactions.open() as tx:
        assert await claim(tx, new_id(), "https://incidents.example") == NothingDue()


async def test_two_claims_at_once_make_one_page(transactions: Transactions):
    scene = await set_scene(transactions)
    await page_about(transactions, scene, 3)

    outcomes = await asyncio.gather(*(claim_once(transactions, scene) for _ in range(8)))

    assert len([outcome for outcome in outcomes if isinstance(outcome, Claimed)]) == 1
    assert len(await pages(transactions)) == 1


async def test_2_an_acknowledge_that_is_committing_keeps_its_page_from_being_made(
    transactions: Transactions,
):
    scene = await set_scene(transactions)
    [incident] = await page_about(transactions, scene)
    async with transactions.open() as tx:
        row = await tx.session.get_one(type(incident), incident.id)
        row.status = Status.ACKNOWLEDGED
        await actions.cancel(tx, [incident.id])
        claiming = asyncio.create_task(claim_once(transactions, scene))
        await somebody_waits_for_a_lock(transactions)

    outcome = await claiming

    assert outcome == Dropped()
    assert await statuses(transactions) == [CANCELLED]


async def test_a_page_names_the_others_who_are_told(transactions: Transactions):
    scene = await set_scene(transactions)
    [incident] = await page_about(transactions, scene)
    async with transactions.open() as tx:
        for name in ("Zoe", "Ben"):
            other = await factories.make_user(tx, name=name)
            await ask(tx, Scene(scene.service, other, await method_of(tx, other)), incident)

    claimed = await claim_page(transactions, scene)

    assert claimed.page.incidents[0].also_told == ("Ben", "Zoe")


async def test_a_page_does_not_name_who_was_only_to_be_told(transactions: Transactions):
    scene = await set_scene(transactions)
    [incident] = await page_about(transactions, scene)
    async with transactions.open() as tx:
        other = await factories.make_user(tx)
        await ask(tx, Scene(scene.service, other, await method_of(tx, other)), incident)
        await tx.session.execute(
            update(Notification)
            .where(Notification.user_id == other.id)
            .values(status=NotificationStatus.CANCELLED)
        )

    claimed = await claim_page(transactions, scene)

    assert claimed.page.incidents[0].also_told == ()


async def method_of(tx: Tx, user: User) -> ContactMethod:
    methods = select(ContactMethod).where(ContactMethod.user_id == user.id)
    return (await tx.session.scalars(methods)).one()
