"""What Twilio reports after it has taken a page: it may come late, twice, or before our record."""

import asyncio
from itertools import permutations
from uuid import UUID

import pytest
from sqlalchemy import select
from tests.notifications.arrangements import (
    Scene,
    acknowledge,
    claim_page,
    failed,
    page_about,
    pages,
    permanent,
    set_scene,
    somebody_waits_for_a_lock,
    statuses,
    temporary,
)

from incident_service.core.db import Transactions, Tx
from incident_service.core.ids import new_id
from incident_service.incidents.models import IncidentEvent
from incident_service.notifications import record
from incident_service.notifications.claim import LEASE, Claimed
from incident_service.notifications.models import (
    NotificationKind,
    NotificationStatus,
    PageAttempt,
    PageStatus,
)
from incident_service.notifications.notes import send_note
from incident_service.notifications.provider_reports import Report, take_report
from incident_service.notifications.queries import PageNotFound
from incident_service.notifications.record import Outcome
from incident_service.teams.models import Channel

SENT, FAILED = NotificationStatus.SENT, NotificationStatus.FAILED


class GivenUp:
    """Remembers of which incidents an address will not hear."""

    def __init__(self) -> None:
        self.incidents: list[set[UUID]] = []

    async def __call__(self, tx: Tx, incident_ids: object) -> None:
        assert isinstance(incident_ids, type({}.keys()))
        self.incidents.append(set(incident_ids))


@pytest.fixture
def given_up() -> GivenUp:
    return GivenUp()


@pytest.fixture
async def scene(transactions: Transactions) -> Scene:
    return await set_scene(transactions, kind=Channel.SMS, address="+15558675310")


async def sent(transactions: Transactions, claimed: Claimed, given_up: GivenUp) -> Outcome:
    async def work(tx: Tx) -> Outcome:
        return await record.succeeded(tx, claimed, "SM01 queued", given_up=given_up)

    return await transactions.run(work)


async def report(
    transactions: Transactions,
    claimed: Claimed,
    status: str,
    given_up: GivenUp,
    error: str | None = None,
) -> None:
    said = Report(claimed.attempt, status, error)
    async with transactions.open() as tx:
        await take_report(tx, claimed.page.id, said, given_up=given_up)


async def said(transactions: Transactions) -> list[tuple[bool | None, str | None]]:
    """Return of each attempt whether it was taken, and its status."""
    async with transactions.open() as tx:
        rows = await tx.session.scalars(select(PageAttempt).order_by(PageAttempt.number))
        return [(row.delivered, row.provider_status) for row in rows]


async def events(transactions: Transactions) -> list[IncidentEvent]:
    async with transactions.open() as tx:
        return list(await tx.session.scalars(select(IncidentEvent)))


async def test_a_page_that_came_keeps_the_word(transactions, scene, clock, given_up):
    await page_about(transactions, scene)
    claimed = await claim_page(transactions, scene)
    await sent(transactions, claimed, given_up)
    sent_at = clock.now
    clock.advance(seconds=5)

    await report(transactions, claimed, "delivered", given_up)

    async with transactions.open() as tx:
        attempt = await tx.session.get_one(PageAttempt, (claimed.page.id, 1))
    [page] = await pages(transactions)
    assert (attempt.provider_status, attempt.provider_status_at) == ("delivered", clock.now)
    assert (page.status, page.sent_at) == (PageStatus.SENT, sent_at)


async def test_a_page_that_did_not_come_has_failed(transactions, scene, given_up):
    made = await page_about(transactions, scene, 2)
    claimed = await claim_page(transactions, scene)
    await sent(transactions, claimed, given_up)

    await report(transactions, claimed, "undelivered", given_up, "30003")

    [page] = await pages(transactions)
    told = await events(transactions)
    assert (page.status, page.last_error) == (
        PageStatus.FAILED,
        "Twilio says undelivered (error 30003).",
    )
    assert await statuses(transactions) == [FAILED, FAILED]
    assert {event.incident_id for event in told} == {incident.id for incident in made}
    assert {event.reason for event in told} == {
        "A page by sms was given up: Twilio says undelivered (error 30003)."
    }
    assert given_up.incidents == [{incident.id for incident in made}]


@pytest.mark.parametrize("end", ["undelivered", "delivered"])
async def test_in_whatever_order_things_come_the_end_is_the_same(
    transactions, scene, clock, given_up, end
):
    for order in permutations(["queued", "sent", end, "our own record"]):
        await page_about(transactions, scene)
        claimed = await claim_page(transactions, scene)
        clock.advance(hours=1)  # or the next page would have to wait
        given_up.incidents.clear()
        for each in [*order, order[0]]:
            if each == "our own record":
                await sent(transactions, claimed, given_up)
            else:
                await report(transactions, claimed, each, given_up)

        page = (await pages(transactions))[-1]
        has_failed = end == "undelivered"
        assert page.status is (PageStatus.FAILED if has_failed else PageStatus.SENT), order
        assert (await statuses(transactions))[-1] is (FAILED if has_failed else SENT), order
        assert len(given_up.incidents) == has_failed, order


async def test_a_failure_that_is_reported_before_the_answer_is_recorded_counts_then(
    transactions, scene, given_up
):
    await page_about(transactions, scene)
    claimed = await claim_page(transactions, scene)
    await report(transactions, claimed, "failed", given_up, "30008")
    before = (await pages(transactions))[0].status

    outcome = await sent(transactions, claimed, given_up)

    [page] = await pages(transactions)
    assert (before, outcome, page.status) == (
        PageStatus.SENDING,
        Outcome.FAILED,
        PageStatus.FAILED,
    )
    assert page.last_error == "Twilio says failed (error 30008)."
    assert await said(transactions) == [(True, "failed")]
    assert len(given_up.incidents) == 1


async def test_what_is_reported_taken_is_not_sent_again_although_its_answer_was_lost(
    transactions, scene, given_up
):
    await page_about(transactions, scene)
    claimed = await claim_page(transactions, scene)
    await report(transactions, claimed, "queued", given_up)

    outcome = await failed(transactions, claimed, temporary())

    [page] = await pages(transactions)
    assert (outcome, page.status, page.next_attempt_at) == (Outcome.LATE, PageStatus.SENT, None)


async def test_what_is_reported_taken_while_it_waits_is_not_sent_again(
    transactions, scene, given_up
):
    await page_about(transactions, scene)
    claimed = await claim_page(transactions, scene)
    await failed(transactions, claimed, temporary())

    await report(transactions, claimed, "delivered", given_up)

    [page] = await pages(transactions)
    assert (page.status, page.next_attempt_at) == (PageStatus.SENT, None)
    assert await statuses(transactions) == [SENT]


async def test_a_failure_of_an_attempt_that_is_tried_again_anyway_is_only_kept(
    transactions, scene, given_up
):
    await page_about(transactions, scene)
    claimed = await claim_page(transactions, scene)
    await failed(transactions, claimed, temporary())

    await report(transactions, claimed, "undelivered", given_up)

    [page] = await pages(transactions)
    assert page.status is PageStatus.WAITING
    assert await said(transactions) == [(False, "undelivered")]
    assert given_up.incidents == []


async def test_a_page_has_not_failed_while_another_attempt_may_be_through(
    transactions, scene, clock, given_up
):
    await page_about(transactions, scene)
    lost = await claim_page(transactions, scene)
    clock.now += LEASE + clock.now.resolution
    second = await claim_page(transactions, scene)
    await sent(transactions, second, given_up)
    await report(transactions, lost, "delivered", given_up)

    await report(transactions, second, "undelivered", given_up)

    [page] = await pages(transactions)
    assert page.status is PageStatus.SENT
    assert await said(transactions) == [(None, "delivered"), (True, "undelivered")]


async def test_a_late_answer_of_what_has_failed_revives_nothing(
    transactions, scene, clock, given_up
):
    await page_about(transactions, scene)
    late = await claim_page(transactions, scene)
    clock.now += LEASE + clock.now.resolution
    await failed(transactions, await claim_page(transactions, scene), permanent())
    await report(transactions, late, "undelivered", given_up)

    outcome = await sent(transactions, late, given_up)

    [page] = await pages(transactions)
    assert (outcome, page.status) == (Outcome.LATE, PageStatus.FAILED)


async def test_an_answered_incident_is_told_of_too(transactions, scene, given_up):
    [incident] = await page_about(transactions, scene)
    claimed = await claim_page(transactions, scene)
    await sent(transactions, claimed, given_up)
    await acknowledge(transactions, incident)

    await report(transactions, claimed, "undelivered", given_up)

    assert [event.kind for event in await events(transactions)] == ["page_failed"]


async def test_a_test_message_that_did_not_come_says_so(transactions, scene, given_up):
    async with transactions.open() as tx:
        await send_note(tx, scene.method, "A test.")
    claimed = await claim_page(transactions, scene)
    await sent(transactions, claimed, given_up)

    await report(transactions, claimed, "undelivered", given_up)

    [page] = await pages(transactions)
    assert (page.status, page.last_error) == (PageStatus.FAILED, "Twilio says undelivered.")


async def test_an_update_that_did_not_come_is_a_failed_page_too(transactions, scene, given_up):
    await page_about(transactions, scene, kind=NotificationKind.UPDATE)
    claimed = await claim_page(transactions, scene)
    await sent(transactions, claimed, given_up)

    await report(transactions, claimed, "failed", given_up)

    assert await statuses(transactions) == [FAILED]


async def test_a_page_of_another_channel_has_no_reports(transactions, given_up):
    scene = await set_scene(transactions)
    await page_about(transactions, scene)
    claimed = await claim_page(transactions, scene)
    await sent(transactions, claimed, given_up)

    await report(transactions, claimed, "undelivered", given_up)

    assert await said(transactions) == [(True, None)]
    assert await statuses(transactions) == [SENT]


async def test_what_does_not_exist_is_not_found(transactions, scene, given_up):
    await page_about(transactions, scene)
    claimed = await claim_page(transactions, scene)

    for page_id, attempt in [(new_id(), 1), (claimed.page.id, 2), (claimed.page.id, 10**20)]:
        with pytest.raises(PageNotFound):
            async with transactions.open() as tx:
                await take_report(tx, page_id, Report(attempt, "undelivered"))


async def test_a_failure_that_is_reported_in_the_moment_of_our_record_is_not_lost(
    transactions: Transactions, scene: Scene, given_up: GivenUp
):
    await page_about(transactions, scene)
    claimed = await claim_page(transactions, scene)

    async with transactions.open() as tx:
        await take_report(tx, claimed.page.id, Report(1, "undelivered"), given_up=given_up)
        await tx.flush()
        recording = asyncio.create_task(sent(transactions, claimed, given_up))
        await somebody_waits_for_a_lock(transactions)

    assert await recording is Outcome.FAILED
    assert (await pages(transactions))[0].status is PageStatus.FAILED
    assert await said(transactions) == [(True, "undelivered")]
    assert len(given_up.incidents) == 1


async def test_a_report_in_the_moment_of_our_record_waits_for_it(
    transactions: Transactions, scene: Scene, given_up: GivenUp
):
    await page_about(transactions, scene)
    claimed = await claim_page(transactions, scene)

    async with transactions.open() as tx:
        await record.succeeded(tx, claimed, "SM01 queued")
        await tx.flush()
        reporting = asyncio.create_task(report(transactions, claimed, "undelivered", given_up))
        await somebody_waits_for_a_lock(transactions)
    await reporting

    assert (await pages(transactions))[0].status is PageStatus.FAILED
    assert len(given_up.incidents) == 1


async def test_reports_that_come_at_the_same_time_fail_the_page_once(
    transactions: Transactions, scene: Scene, given_up: GivenUp
):
    await page_about(transactions, scene, 3)
    claimed = await claim_page(transactions, scene)
    await sent(transactions, claimed, given_up)

    await asyncio.gather(
        *(
            report(transactions, claimed, status, given_up)
            for status in ["queued", "sent", "undelivered"] * 4
        )
    )

    assert len(given_up.incidents) == 1
    assert [event.kind for event in await events(transactions)] == ["page_failed"] * 3
