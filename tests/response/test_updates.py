"""Whoever was paged hears what has become of the incident."""

import pytest
from sqlalchemy import select
from tests import factories
from tests.notifications.arrangements import ScriptedChannel, make_courier
from tests.stage import Stage

from incident_service.core.db import Transactions
from incident_service.notifications.models import Notification, NotificationKind
from incident_service.teams.models import Channel, ContactMethod


@pytest.fixture
def channel() -> ScriptedChannel:
    return ScriptedChannel()


async def deliver(stage: Stage, transactions: Transactions, channel: ScriptedChannel) -> None:
    courier = make_courier(transactions, channel)
    for method_id in await stage.rows(select(ContactMethod.id)):
        await courier.deliver(method_id)


async def updates(stage: Stage) -> list[tuple[str, str]]:
    """Who is told what, in order."""
    people = {person.id: person.name for person in (stage.first, stage.second, stage.manager)}
    rows = await stage.rows(
        select(Notification)
        .where(Notification.kind == NotificationKind.UPDATE)
        .order_by(Notification.id)
    )
    return [(people.get(row.user_id, "fallback"), row.reason) for row in rows]


async def climbed_to_level_2(
    stage: Stage, transactions: Transactions, channel: ScriptedChannel
) -> None:
    await stage.fire("Disk")
    await deliver(stage, transactions, channel)
    await stage.wait(minutes=5)
    await deliver(stage, transactions, channel)


async def test_81_an_acknowledge_is_told_to_the_others_who_were_paged(stage, transactions, channel):
    await climbed_to_level_2(stage, transactions, channel)

    await stage.do("acknowledge", await stage.incident(), by=stage.second)

    assert await updates(stage) == [("First", "acknowledged by Second")]


async def test_a_resolve_by_the_alerts_is_told_to_all(stage, transactions, channel):
    await climbed_to_level_2(stage, transactions, channel)

    await stage.clear("Disk")

    assert sorted(await updates(stage)) == [
        ("First", "resolved by alerts"),
        ("Second", "resolved by alerts"),
    ]


async def test_whoever_was_not_reached_is_not_brought_up_to_date(stage):
    await stage.fire("Disk")

    await stage.do("acknowledge", await stage.incident(), by=stage.second)

    assert await updates(stage) == []


async def test_an_update_says_how_the_incident_stands_when_it_is_sent(
    stage, transactions, channel, clock
):
    await climbed_to_level_2(stage, transactions, channel)
    await stage.do("acknowledge", await stage.incident(), by=stage.second)
    await stage.do("resolve", await stage.incident(), by=stage.second)
    clock.advance(minutes=1)
    channel.pages.clear()

    await deliver(stage, transactions, channel)

    (page,) = channel.pages
    assert page.incidents[0].status == "RESOLVED"
    assert page.incidents[0].kind is NotificationKind.UPDATE
    assert page.priority == "info"


async def test_an_update_of_a_climb_that_has_begun_anew_is_not_sent(
    stage, transactions, channel, clock
):
    await climbed_to_level_2(stage, transactions, channel)
    await stage.do("acknowledge", await stage.incident(), by=stage.second)
    await stage.do("unacknowledge", await stage.incident(), by=stage.second)
    clock.advance(minutes=1)
    channel.pages.clear()

    await deliver(stage, transactions, channel)

    kinds = {incident.kind for page in channel.pages for incident in page.incidents}
    assert kinds == {NotificationKind.PAGE}


async def test_an_update_never_delays_a_page(stage, transactions, channel, clock):
    await climbed_to_level_2(stage, transactions, channel)
    await stage.do("acknowledge", await stage.incident(), by=stage.second)
    clock.advance(minutes=10)
    await deliver(stage, transactions, channel)
    channel.pages.clear()

    await stage.fire("Net", severity="warning")
    await deliver(stage, transactions, channel)

    assert [page.incidents[0].title for page in channel.pages] == ["Net is on fire"]


async def test_nobody_is_called_by_telephone_for_an_update(stage, transactions, channel):
    async with transactions.open() as tx:
        await factories.make_contact_method(
            tx, stage.first, kind=Channel.VOICE, address="+15558675310"
        )
    await stage.fire("Disk")
    await stage.mark_sent()

    await stage.do("acknowledge", await stage.incident(), by=stage.second)

    assert await updates(stage) == [("First", "acknowledged by Second")]


async def test_flapping_tells_of_a_resolve_once_until_there_is_other_news(
    stage, transactions, channel, clock
):
    await climbed_to_level_2(stage, transactions, channel)
    for _ in range(3):
        await stage.clear("Disk")
        clock.advance(minutes=1)
        await deliver(stage, transactions, channel)
        await stage.refire("Disk")

    assert len(await updates(stage)) == 2


async def test_a_resolve_that_was_taken_back_before_it_was_told_is_told_when_it_is_true_again(
    stage, transactions, channel, clock
):
    await climbed_to_level_2(stage, transactions, channel)
    await stage.clear("Disk")
    clock.advance(seconds=10)
    await stage.refire("Disk")
    clock.advance(seconds=10)
    await stage.clear("Disk")
    channel.pages.clear()
    clock.advance(minutes=1)

    await deliver(stage, transactions, channel)

    told = [incident for page in channel.pages for incident in page.incidents]
    assert [incident.reason for incident in told] == ["resolved by alerts"] * 2


async def test_whoever_is_paged_again_by_an_incident_that_flaps_hears_of_its_end_again(
    stage, transactions, channel, clock
):
    await stage.fire("Disk")
    await deliver(stage, transactions, channel)
    for _ in range(2):
        await stage.do("acknowledge", await stage.incident(), by=stage.first)
        await stage.clear("Disk")
        clock.advance(minutes=1)
        await deliver(stage, transactions, channel)
        await stage.refire("Disk")
        clock.advance(minutes=1)
        await deliver(stage, transactions, channel)

    assert await updates(stage) == [("First", "resolved by alerts")] * 2


async def test_whoever_was_paged_before_the_climb_began_anew_hears_of_its_end(
    stage, transactions, channel, clock
):
    await climbed_to_level_2(stage, transactions, channel)
    await stage.do("restart", await stage.incident())
    clock.advance(minutes=1)
    await deliver(stage, transactions, channel)

    await stage.clear("Disk")

    assert sorted(await updates(stage)) == [
        ("First", "resolved by alerts"),
        ("Second", "resolved by alerts"),
    ]


async def test_nobody_hears_of_a_resolve_that_is_no_longer_true(
    stage, transactions, channel, clock
):
    await climbed_to_level_2(stage, transactions, channel)
    await stage.clear("Disk")
    clock.advance(seconds=10)
    await stage.refire("Disk")
    channel.pages.clear()
    clock.advance(minutes=1)

    await deliver(stage, transactions, channel)

    assert channel.pages == []
