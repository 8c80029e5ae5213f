from datetime import timedelta

from sqlalchemy import select
from tests.fakes import FrozenClock, RememberingQueue
from tests.notifications.arrangements import (
    acknowledge,
    claim_page,
    failed,
    page_about,
    pages,
    permanent,
    sent,
    set_scene,
    statuses,
    temporary,
)

from incident_service import jobs
from incident_service.core.db import Transactions
from incident_service.incidents.models import IncidentEvent
from incident_service.notifications.channels.contract import DeliveryFailed
from incident_service.notifications.claim import LEASE
from incident_service.notifications.models import NotificationStatus, PageAttempt, PageStatus
from incident_service.notifications.record import Outcome

SECOND = timedelta(seconds=1)
SENT, SENDING = NotificationStatus.SENT, NotificationStatus.SENDING


async def attempts(transactions: Transactions) -> list[tuple[int, bool | None, str | None]]:
    async with transactions.open() as tx:
        rows = await tx.session.scalars(select(PageAttempt).order_by(PageAttempt.number))
        return [(row.number, row.delivered, row.detail) for row in rows]


async def events(transactions: Transactions) -> list[IncidentEvent]:
    async with transactions.open() as tx:
        return list(await tx.session.scalars(select(IncidentEvent)))


async def test_a_page_that_got_through_is_sent_with_all_its_members(
    transactions: Transactions, clock: FrozenClock
):
    scene = await set_scene(transactions)
    await page_about(transactions, scene, 2)
    claimed = await claim_page(transactions, scene)

    outcome = await sent(transactions, claimed)

    [page] = await pages(transactions)
    assert outcome is Outcome.SENT
    assert (page.status, page.sent_at, page.lease_until) == (PageStatus.SENT, clock.now, None)
    assert await statuses(transactions) == [SENT, SENT]
    assert await attempts(transactions) == [(1, True, "200")]


async def test_79_a_page_that_failed_for_now_gets_a_later_attempt(
    transactions: Transactions, clock: FrozenClock, queue: RememberingQueue
):
    scene = await set_scene(transactions)
    await page_about(transactions, scene)
    claimed = await claim_page(transactions, scene)

    outcome = await failed(transactions, claimed, temporary())

    [page] = await pages(transactions)
    again_at = clock.now + 2 * SECOND
    assert outcome is Outcome.RETRY
    assert (page.status, page.next_attempt_at) == (PageStatus.WAITING, again_at)
    assert page.last_error == "The receiver answered 503."
    assert queue.named(jobs.DELIVER)[-1].not_before == again_at
    assert await statuses(transactions) == [SENDING]


async def test_79_a_receiver_that_asks_for_a_minute_is_left_alone_for_a_minute(
    transactions: Transactions, clock: FrozenClock
):
    scene = await set_scene(transactions)
    await page_about(transactions, scene)
    claimed = await claim_page(transactions, scene)

    await failed(transactions, claimed, DeliveryFailed("busy", retry_after_s=60))

    [page] = await pages(transactions)
    assert page.next_attempt_at == clock.now + 60 * SECOND


async def test_a_permanent_failure_is_told_in_the_timeline_of_each_incident(
    transactions: Transactions,
):
    scene = await set_scene(transactions)
    made = await page_about(transactions, scene, 2)
    claimed = await claim_page(transactions, scene)

    outcome = await failed(transactions, claimed, permanent())

    assert outcome is Outcome.FAILED
    assert await statuses(transactions) == [NotificationStatus.FAILED] * 2
    told = await events(transactions)
    assert {event.incident_id for event in told} == {incident.id for incident in made}
    assert {event.kind for event in told} == {"page_failed"}
    assert told[0].reason == "A page by webhook was given up: the failure is permanent."
    assert told[0].data == {
        "page_id": str(claimed.page.id),
        "channel": "webhook",
        "user_id": str(scene.user.id),
        "user_name": scene.user.name,
        "contact_method_id": str(scene.method.id),
        "attempts": 1,
        "error": "The receiver answered 404.",
    }


async def test_a_page_is_given_up_after_an_hour(transactions: Transactions, clock: FrozenClock):
    scene = await set_scene(transactions)
    await page_about(transactions, scene)
    await claim_page(transactions, scene)
    clock.advance(hours=1)
    claimed = await claim_page(transactions, scene)

    outcome = await failed(transactions, claimed, temporary())

    assert outcome is Outcome.FAILED
    [event] = await events(transactions)
    assert event.reason == "A page by webhook was given up: it did not get through in 2 attempts."


async def test_a_late_failure_changes_nothing(transactions: Transactions, clock: FrozenClock):
    scene = await set_scene(transactions)
    await page_about(transactions, scene)
    late = await claim_page(transactions, scene)
    clock.now += LEASE + SECOND
    await claim_page(transactions, scene)

    outcomes = [
        await failed(transactions, late, temporary()),
        await failed(transactions, late, permanent()),
    ]

    [page] = await pages(transactions)
    assert outcomes == [Outcome.LATE, Outcome.LATE]
    assert (page.status, page.attempts, page.last_error) == (PageStatus.SENDING, 2, None)
    assert await statuses(transactions) == [SENDING]
    assert await events(transactions) == []


async def test_a_late_success_still_counts(transactions: Transactions, clock: FrozenClock):
    scene = await set_scene(transactions)
    await page_about(transactions, scene)
    late = await claim_page(transactions, scene)
    clock.now += LEASE + SECOND
    second = await claim_page(transactions, scene)

    outcomes = [
        await sent(transactions, late),
        await failed(transactions, second, temporary()),
    ]

    [page] = await pages(transactions)
    assert outcomes == [Outcome.SENT, Outcome.LATE]
    assert (page.status, page.next_attempt_at) == (PageStatus.SENT, None)
    assert await statuses(transactions) == [SENT]


async def test_a_page_that_got_through_late_is_not_sent_again(
    transactions: Transactions, clock: FrozenClock
):
    scene = await set_scene(transactions)
    await page_about(transactions, scene)
    late = await claim_page(transactions, scene)
    clock.now += LEASE + SECOND
    await failed(transactions, await claim_page(transactions, scene), permanent())

    await sent(transactions, late)

    [page] = await pages(transactions)
    assert page.status is PageStatus.SENT
    assert await statuses(transactions) == [SENT]


async def test_every_attempt_keeps_its_own_outcome(transactions: Transactions, clock: FrozenClock):
    scene = await set_scene(transactions)
    await page_about(transactions, scene)
    await claim_page(transactions, scene)
    clock.now += LEASE + SECOND
    await failed(transactions, await claim_page(transactions, scene), temporary())
    clock.advance(minutes=5)
    await sent(transactions, await claim_page(transactions, scene))

    assert await attempts(transactions) == [
        (1, None, None),
        (2, False, "The receiver answered 503."),
        (3, True, "200"),
    ]


async def test_what_was_acknowledged_while_it_was_sent_counts_as_sent(
    transactions: Transactions,
):
    scene = await set_scene(transactions)
    [incident] = await page_about(transactions, scene)
    claimed = await claim_page(transactions, scene)
    await acknowledge(transactions, incident)

    await sent(transactions, claimed)

    assert await statuses(transactions) == [SENT]
