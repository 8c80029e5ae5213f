import asyncio
from datetime import timedelta

import pytest
from prometheus_client import REGISTRY
from tests.core.test_sealing import NEW, OLD, with_keys
from tests.fakes import NOON, FrozenClock, RememberingQueue
from tests.notifications.arrangements import (
    BASE_URL,
    ScriptedChannel,
    StuckChannel,
    acknowledge,
    change,
    claim_page,
    make_courier,
    numbers,
    page_about,
    pages,
    permanent,
    set_scene,
    statuses,
    temporary,
)

from incident_service import jobs
from incident_service.catalog.priority import Priority
from incident_service.core.db import Transactions
from incident_service.notifications import actions
from incident_service.notifications.channels.contract import ChannelSender
from incident_service.notifications.claim import LEASE
from incident_service.notifications.delivery import PAGES_A_CALL, Courier
from incident_service.notifications.jobs import deliver
from incident_service.notifications.models import NotificationStatus, PageStatus
from incident_service.teams.models import Channel, User

SECOND = timedelta(seconds=1)
SENT, CANCELLED = NotificationStatus.SENT, NotificationStatus.CANCELLED


async def test_what_is_due_is_sent_in_one_page(transactions: Transactions):
    scene = await set_scene(transactions)
    made = await page_about(transactions, scene, 3)
    channel = ScriptedChannel()

    tried = await make_courier(transactions, channel).deliver(scene.method.id)

    assert tried == 1
    assert numbers(channel.pages[0]) == [incident.number for incident in made]
    assert await statuses(transactions) == [SENT] * 3


async def test_delivering_again_sends_nothing_again(transactions: Transactions):
    scene = await set_scene(transactions)
    await page_about(transactions, scene)
    channel = ScriptedChannel()
    courier = make_courier(transactions, channel)

    assert [await courier.deliver(scene.method.id) for _ in range(2)] == [1, 0]
    assert len(channel.pages) == 1


async def test_many_deliveries_at_once_send_a_page_once(transactions: Transactions):
    scene = await set_scene(transactions)
    await page_about(transactions, scene, 5)
    channel = ScriptedChannel()
    couriers = [make_courier(transactions, channel) for _ in range(8)]

    await asyncio.gather(*(courier.deliver(scene.method.id) for courier in couriers))

    assert len(channel.pages) == 1


async def test_all_attempts_of_a_page_carry_one_id(transactions: Transactions, clock: FrozenClock):
    scene = await set_scene(transactions)
    await page_about(transactions, scene)
    channel = ScriptedChannel(temporary(), temporary())
    courier = make_courier(transactions, channel)

    for _ in range(3):
        await courier.deliver(scene.method.id)
        clock.advance(minutes=5)

    [page] = await pages(transactions)
    assert channel.page_ids == [page.id] * 3
    assert (page.status, page.attempts, page.last_error) == (PageStatus.SENT, 3, None)


async def test_a_page_is_not_tried_again_before_its_time(
    transactions: Transactions, clock: FrozenClock
):
    scene = await set_scene(transactions)
    await page_about(transactions, scene)
    channel = ScriptedChannel(temporary())
    courier = make_courier(transactions, channel)
    await courier.deliver(scene.method.id)

    clock.advance(seconds=1.9)
    await courier.deliver(scene.method.id)

    assert len(channel.pages) == 1


async def test_what_is_acknowledged_between_two_attempts_is_not_sent(
    transactions: Transactions, clock: FrozenClock
):
    scene = await set_scene(transactions)
    [incident] = await page_about(transactions, scene)
    channel = ScriptedChannel(temporary())
    courier = make_courier(transactions, channel)
    await courier.deliver(scene.method.id)
    async with transactions.open() as tx:
        await actions.cancel(tx, [incident.id])
    await acknowledge(transactions, incident)

    clock.advance(minutes=1)
    await courier.deliver(scene.method.id)

    [page] = await pages(transactions)
    assert len(channel.pages) == 1
    assert page.status is PageStatus.CANCELLED
    assert await statuses(transactions) == [CANCELLED]


async def test_what_is_acknowledged_during_a_failing_attempt_is_not_tried_again(
    transactions: Transactions, clock: FrozenClock
):
    scene = await set_scene(transactions)
    [incident] = await page_about(transactions, scene)
    channel = ScriptedChannel(temporary())
    channel.during = lambda: acknowledge(transactions, incident)
    courier = make_courier(transactions, channel)
    await courier.deliver(scene.method.id)

    clock.advance(minutes=1)
    await courier.deliver(scene.method.id)

    assert len(channel.pages) == 1
    assert await statuses(transactions) == [CANCELLED]


async def test_no_transaction_is_open_while_a_channel_is_at_work(transactions: Transactions):
    scene = await set_scene(transactions)
    [incident] = await page_about(transactions, scene)
    channel = ScriptedChannel()
    channel.during = lambda: change(transactions, incident, title="Changed meanwhile")

    await make_courier(transactions, channel).deliver(scene.method.id)

    assert await statuses(transactions) == [SENT]


async def test_a_worker_that_dies_after_sending_leads_to_the_same_page_again(
    transactions: Transactions, clock: FrozenClock
):
    scene = await set_scene(transactions)
    await page_about(transactions, scene)
    dead = await claim_page(transactions, scene)
    channel = ScriptedChannel()

    clock.now += LEASE + SECOND
    await make_courier(transactions, channel).deliver(scene.method.id)

    assert channel.page_ids == [dead.page.id]


async def test_a_channel_that_breaks_is_a_failed_attempt(transactions: Transactions):
    scene = await set_scene(transactions)
    await page_about(transactions, scene)

    await make_courier(transactions, ScriptedChannel(KeyError("bug"))).deliver(scene.method.id)

    [page] = await pages(transactions)
    assert (page.status, page.last_error) == (PageStatus.WAITING, "The channel broke (KeyError).")


async def test_a_page_that_is_given_up_can_be_seen_in_the_metrics(transactions: Transactions):
    scene = await set_scene(transactions)
    await page_about(transactions, scene)
    before = REGISTRY.get_sample_value("incident_pages_failed_total", {"channel": "webhook"}) or 0

    await make_courier(transactions, ScriptedChannel(permanent())).deliver(scene.method.id)

    after = REGISTRY.get_sample_value("incident_pages_failed_total", {"channel": "webhook"})
    assert after == before + 1


@pytest.mark.parametrize(
    ("method", "error"),
    [
        ({"is_enabled": False}, "The contact method is switched off."),
        ({"unverified_since": NOON}, "It is not verified whose contact method this is."),
        (
            {"kind": Channel.CONSOLE},
            "The contact method needs a channel that this process lacks.",
        ),
    ],
    ids=["switched off", "not verified", "no such channel"],
)
async def test_a_page_that_cannot_be_sent_from_here_fails_with_the_reason(
    transactions: Transactions, method, error
):
    scene = await set_scene(transactions, **method)
    await page_about(transactions, scene)
    channel = ScriptedChannel()

    await make_courier(transactions, channel).deliver(scene.method.id)

    [page] = await pages(transactions)
    assert (page.status, page.last_error) == (PageStatus.FAILED, error)
    assert channel.pages == []


async def test_a_page_to_somebody_who_was_made_inactive_fails_with_the_reason(
    transactions: Transactions,
):
    scene = await set_scene(transactions)
    await page_about(transactions, scene)
    async with transactions.open() as tx:
        (await tx.session.get_one(User, scene.user.id)).is_active = False
    channel = ScriptedChannel()

    await make_courier(transactions, channel).deliver(scene.method.id)

    [page] = await pages(transactions)
    assert (page.status, page.last_error) == (PageStatus.FAILED, "The person is not active.")
    assert channel.pages == []


@pytest.mark.parametrize("keys", [[], [NEW]], ids=["no key", "another key"])
async def test_a_page_waits_for_the_key_that_opens_its_address(
    transactions: Transactions, database_url: str, clock: FrozenClock, keys
):
    async with with_keys(database_url, [OLD]) as sealing:
        scene = await set_scene(sealing)
        await page_about(sealing, scene)
    channel = ScriptedChannel()

    async with with_keys(database_url, keys) as without:
        await make_courier(without, channel).deliver(scene.method.id)
    [waiting] = await pages(transactions)
    clock.advance(minutes=1)
    async with with_keys(database_url, [OLD], clock) as mended:
        await make_courier(mended, channel).deliver(scene.method.id)

    [page] = await pages(transactions)
    assert waiting.status is PageStatus.WAITING
    assert "INCIDENT_SERVICE_SEALING_KEY" in (waiting.last_error or "")
    assert (page.status, page.last_error) == (PageStatus.SENT, None)
    assert [address.address for address in channel.addresses] == [scene.method.address]


async def test_one_call_is_bounded_and_leaves_a_job_for_the_rest(
    transactions: Transactions, queue: RememberingQueue, clock: FrozenClock
):
    scene = await set_scene(transactions, bundle=False)
    await page_about(transactions, scene, PAGES_A_CALL + 1)
    queue.jobs.clear()

    tried = await make_courier(transactions, ScriptedChannel()).deliver(scene.method.id)

    [job] = queue.named(jobs.DELIVER)
    assert tried == PAGES_A_CALL
    assert (job.args, job.not_before) == ((str(scene.method.id),), clock.now)


async def test_the_queues_job_delivers(transactions: Transactions):
    scene = await set_scene(transactions)
    await page_about(transactions, scene)

    await deliver(make_courier(transactions, ScriptedChannel()), str(scene.method.id))

    assert await statuses(transactions) == [SENT]


async def test_a_sweep_sends_what_no_job_came_for(transactions: Transactions, clock: FrozenClock):
    scene = await set_scene(transactions)
    await page_about(transactions, scene)
    clock.advance(seconds=1)

    done = (await make_courier(transactions, ScriptedChannel()).sweep()).done

    assert done == 1
    assert await statuses(transactions) == [SENT]


async def test_a_sweep_leaves_fresh_work_to_its_job(transactions: Transactions):
    scene = await set_scene(transactions)
    await page_about(transactions, scene)

    assert (await make_courier(transactions, ScriptedChannel()).sweep()).done == 0


async def test_a_sweep_goes_on_with_pages_that_wait_or_lost_their_worker(
    transactions: Transactions, clock: FrozenClock
):
    waiting, orphaned = await set_scene(transactions), await set_scene(transactions)
    for scene in (waiting, orphaned):
        await page_about(transactions, scene)
    await make_courier(transactions, ScriptedChannel(temporary())).deliver(waiting.method.id)
    await claim_page(transactions, orphaned)
    clock.now += LEASE + 2 * SECOND

    done = (await make_courier(transactions, ScriptedChannel()).sweep()).done

    assert done == 2
    assert await statuses(transactions) == [SENT, SENT]


async def test_a_sweep_does_not_disturb_addresses_that_are_held_back(
    transactions: Transactions, clock: FrozenClock
):
    scene = await set_scene(transactions)
    await page_about(transactions, scene)
    courier = make_courier(transactions, ScriptedChannel())
    await courier.deliver(scene.method.id)
    await page_about(transactions, scene)

    done = []
    for _ in range(16):
        clock.advance(seconds=2)
        done.append((await courier.sweep()).done)

    assert done == [0] * 14 + [1, 0]


async def test_a_sweep_sends_what_outranks_the_last_page_at_once(
    transactions: Transactions, clock: FrozenClock
):
    scene = await set_scene(transactions)
    await page_about(transactions, scene, priority=Priority.LOW)
    courier = make_courier(transactions, ScriptedChannel())
    await courier.deliver(scene.method.id)
    await page_about(transactions, scene, priority=Priority.CRITICAL)
    clock.advance(seconds=2)

    assert (await courier.sweep()).done == 1


async def test_a_sweep_never_holds_back_an_address_that_does_not_bundle(
    transactions: Transactions, clock: FrozenClock
):
    scene = await set_scene(transactions, bundle=False)
    await page_about(transactions, scene)
    courier = make_courier(transactions, ScriptedChannel())
    await courier.deliver(scene.method.id)
    await page_about(transactions, scene)
    clock.advance(seconds=2)

    assert (await courier.sweep()).done == 1


async def test_an_address_that_does_not_answer_keeps_no_other_waiting(
    transactions: Transactions, clock: FrozenClock
):
    stuck, quick = await set_scene(transactions), await set_scene(transactions, kind=Channel.NTFY)
    await page_about(transactions, stuck)
    await page_about(transactions, quick)
    channel = StuckChannel()
    channels: dict[Channel, ChannelSender] = {
        Channel.WEBHOOK: channel,
        Channel.NTFY: ScriptedChannel(),
    }
    courier = Courier(transactions, channels, BASE_URL, sweep_s=0.0)
    clock.advance(seconds=1)

    first = (await courier.sweep()).done
    await channel.started.wait()
    await until_sent(transactions, 1)
    second = (await courier.sweep()).done

    assert (first, second) == (2, 0)
    channel.released.set()
    await courier.aclose()
    assert await statuses(transactions) == [SENT, SENT]


async def test_a_provider_that_hangs_holds_up_neither_jobs_nor_sweeps(
    transactions: Transactions, clock: FrozenClock
):
    hanging = [await set_scene(transactions) for _ in range(30)]
    quick = await set_scene(transactions, kind=Channel.NTFY)
    for scene in (*hanging, quick):
        await page_about(transactions, scene)
    stuck, works = StuckChannel(), ScriptedChannel()
    channels: dict[Channel, ChannelSender] = {Channel.WEBHOOK: stuck, Channel.NTFY: works}
    courier = Courier(transactions, channels, BASE_URL, sweep_s=0.0, job_s=0.0)

    for scene in hanging:
        await deliver(courier, str(scene.method.id))
    clock.advance(seconds=1)
    await courier.sweep()
    await until_sent(transactions, 1)

    assert len(works.pages) == 1
    stuck.released.set()
    await courier.aclose()
    assert await statuses(transactions) == [SENT] * 31


async def until_sent(transactions: Transactions, count: int) -> None:
    async with asyncio.timeout(5):
        while (await statuses(transactions)).count(SENT) < count:
            pass


async def test_a_delivery_that_breaks_off_ends_no_sweep(
    transactions: Transactions, clock: FrozenClock
):
    scene = await set_scene(transactions)
    await page_about(transactions, scene)
    clock.advance(seconds=1)

    def no_dice() -> float:
        raise RuntimeError("lost")

    channels = {Channel.WEBHOOK: ScriptedChannel(temporary())}
    courier = Courier(transactions, channels, BASE_URL, jitter=no_dice)

    assert (await courier.sweep()).done == 1
    assert (await courier.sweep()).done == 0


async def test_nothing_more_is_sent_to_a_person_who_is_inactive_now(transactions):
    scene = await set_scene(transactions)
    await page_about(transactions, scene)
    async with transactions.open() as tx:
        (await tx.session.get_one(User, scene.user.id)).is_active = False
    channel = ScriptedChannel()

    await make_courier(transactions, channel).deliver(scene.method.id)

    assert channel.pages == []
    assert await statuses(transactions) == [NotificationStatus.FAILED]


async def test_one_call_serves_an_address_and_sends_what_comes_due_meanwhile(transactions):
    scene = await set_scene(transactions, bundle=False)
    await page_about(transactions, scene)
    channel = ScriptedChannel()
    courier = make_courier(transactions, channel)
    others: list[int] = []

    async def one_more() -> None:
        channel.during = None
        await page_about(transactions, scene)
        others.append(await courier.deliver(scene.method.id))

    channel.during = one_more
    tried = await courier.deliver(scene.method.id)

    assert (tried, others) == (2, [0])
    assert await statuses(transactions) == [NotificationStatus.SENT] * 2
