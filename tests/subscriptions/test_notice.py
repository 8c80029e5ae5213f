"""Whoever is in charge of a subscription hears, once, that the service has paused it."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select
from tests import factories
from tests.subscriptions.arrangements import Desk

from incident_service.core.db import Tx
from incident_service.incidents.timeline import EventKind
from incident_service.notifications.channels.webhook import WebhookChannel
from incident_service.notifications.delivery import Courier
from incident_service.notifications.models import Page
from incident_service.subscriptions import queries, record
from incident_service.subscriptions.models import WebhookSubscription
from incident_service.subscriptions.persistence import Failure
from incident_service.subscriptions.record import Outcome
from incident_service.teams.models import Channel, ContactMethod, Role, Team, User

GONE = Failure("The receiver answered 410: moved <!channel>", 410)
OPENED, RESOLVED = EventKind.OPENED, EventKind.RESOLVED


@pytest.fixture
def courier(desk: Desk) -> Courier:
    channels = {Channel.WEBHOOK: WebhookChannel(desk.outbound)}
    return Courier(desk.transactions, channels, "https://incidents.example")


async def member(desk: Desk, role: Role = Role.MANAGER, **changes: Any) -> User:
    async with desk.transactions.open() as tx:
        return await factories.make_user(tx, team=desk.team, role=role, **changes)


async def fallback(desk: Desk, **changes: Any) -> ContactMethod:
    async with desk.transactions.open() as tx:
        return await factories.make_contact_method(tx, None, **changes)


async def is_paused(desk: Desk, subscription: WebhookSubscription) -> None:
    """Let the receiver be gone, so that the first event pauses the subscription."""
    desk.receiver.answer = lambda heard: 410 if heard.path == subscription.name else 204
    await desk.happen(await desk.incident(), OPENED)
    await desk.run()
    assert (await desk.again(subscription)).paused_at


async def notices(desk: Desk) -> list[Page]:
    async with desk.transactions.open() as tx:
        return list(await tx.session.scalars(select(Page).order_by(Page.contact_method_id)))


async def test_each_manager_is_told_at_every_address_and_nobody_else(desk):
    manager, second = await member(desk), await member(desk)
    await member(desk, Role.RESPONDER)
    await fallback(desk)
    async with desk.transactions.open() as tx:
        await factories.make_contact_method(tx, manager, kind=Channel.NTFY, address="topic")

    await is_paused(desk, await desk.subscribe())

    assert [page.user_id for page in await notices(desk)].count(manager.id) == 2
    assert {page.user_id for page in await notices(desk)} == {manager.id, second.id}


async def test_the_notice_says_what_is_paused_since_when_why_and_how_to_go_on(desk):
    await member(desk)
    subscription = await desk.subscribe(
        "hook", name="Chat {bot} <b>", url=desk.receiver.url("hook/with/a-secret-token")
    )
    desk.receiver.answer = lambda heard: 410
    await desk.happen(await desk.incident(), OPENED)

    await desk.run()

    (page,) = await notices(desk)
    since = desk.clock().strftime("%Y-%m-%d %H:%M UTC")
    assert page.note == (
        f"Webhook subscription Chat {{bot}} <b> of team {desk.team.name} is paused: "
        f"http://127.0.0.1:{desk.receiver.port}/…oken has failed since {since}. "
        "To resume it, with every event since: "
        f'PATCH /v1/webhook-subscriptions/{subscription.id} with {{"is_enabled": true}}. '
        "The last error: The receiver answered 410: why not"
    )


async def test_whatever_names_and_receivers_say_a_notice_is_one_line_of_text(desk):
    await member(desk)
    async with desk.transactions.open() as tx:
        row = await tx.session.get_one(Team, desk.team.id)
        row.name = "T\u202e\r\nBcc: all@example.org"
    subscription = await desk.subscribe()
    await desk.happen(await desk.incident(), OPENED)
    await desk.read()
    claimed = await desk.claim(subscription)
    hostile = Failure("\x1b[2J {0} <!channel>\n\n@here", 410)

    await desk.transactions.run(lambda tx: record.failed(tx, claimed, hostile, jitter=0))

    (page,) = await notices(desk)
    assert (page.note or "").isprintable()
    assert "of team T Bcc: all@example.org is paused" in (page.note or "")
    assert (page.note or "").endswith("The last error: [2J {0} <!channel> @here")


async def test_the_notice_goes_the_way_of_a_page_and_the_api_shows_how_it_fares(
    desk, courier, queue, api
):
    await member(desk, address=desk.receiver.url("manager"))
    await is_paused(desk, await desk.subscribe())
    (page,) = await notices(desk)
    before = (await api.get(f"/v1/pages/{page.id}")).json()

    await courier.deliver(page.contact_method_id)

    after = (await api.get(f"/v1/pages/{page.id}")).json()
    (told,) = desk.receiver.at("manager")
    assert queue.named("deliver")[-1].args == (str(page.contact_method_id),)
    assert (before["status"], before["attempts"]) == ("waiting", [])
    assert (after["status"], after["attempts"][0]["detail"]) == ("sent", "204")
    assert (told.id, told.body["type"], told.body["note"]) == (str(page.id), "note", page.note)


async def test_a_notice_that_does_not_get_through_is_tried_again_under_its_id(desk, courier):
    await member(desk, address=desk.receiver.url("manager"))
    await is_paused(desk, await desk.subscribe())
    (page,) = await notices(desk)
    desk.receiver.answer = lambda heard: 503
    await courier.deliver(page.contact_method_id)
    desk.receiver.answer = lambda heard: 204
    desk.clock.advance(minutes=1)

    await courier.deliver(page.contact_method_id)

    first, second = desk.receiver.at("manager")
    assert first.id == second.id == str(page.id)


@pytest.mark.parametrize("manager", [{"is_active": False}, {"address": None}])
async def test_without_a_manager_who_can_be_reached_the_fallback_contact_is_told(desk, manager):
    await member(desk, Role.RESPONDER)
    await member(desk, **manager)
    contact = await fallback(desk)

    await is_paused(desk, await desk.subscribe())

    assert [page.contact_method_id for page in await notices(desk)] == [contact.id]


async def test_the_fallback_contact_is_told_of_a_subscription_of_every_team(desk, api):
    await member(desk)
    contact = await fallback(desk)

    await is_paused(desk, await desk.subscribe(team_id=None))

    (page,) = await notices(desk)
    shown = (await api.get(f"/v1/pages/{page.id}")).json()
    assert page.contact_method_id == contact.id
    assert "of every team is paused" in (page.note or "")
    assert (shown["user_id"], shown["status"]) == (None, "waiting")


async def test_when_there_is_nobody_to_tell_the_pause_stands_and_is_counted(desk):
    await is_paused(desk, await desk.subscribe())

    async with desk.transactions.open() as tx:
        paused = await queries.count_paused(tx.session)
    assert paused == 1
    assert await notices(desk) == []


async def test_a_telephone_rings_only_when_there_is_no_other_way(desk):
    await member(desk, channel=Channel.VOICE, address="+15558675310")
    called = await desk.subscribe("first")
    await is_paused(desk, called)
    written = await member(desk)

    await is_paused(desk, await desk.subscribe("second"))

    channels = [(page.channel, page.user_id == written.id) for page in await notices(desk)]
    assert channels == [(Channel.VOICE, False), (Channel.WEBHOOK, True)]


async def test_of_two_workers_that_would_pause_at_the_same_moment_one_tells(desk):
    await member(desk)
    subscription = await desk.subscribe()
    for _ in range(2):
        await desk.happen(await desk.incident(), OPENED)
    await desk.read()
    claimed = [await desk.claim(subscription) for _ in range(2)]

    outcomes = await asyncio.gather(
        *(
            desk.transactions.run(lambda tx, each=each: record.failed(tx, each, GONE, jitter=0))
            for each in claimed
        )
    )

    assert sorted(outcomes) == [Outcome.PAUSED, Outcome.RETRY]
    assert len(await notices(desk)) == 1


async def test_a_pause_that_is_not_committed_tells_nobody(desk, queue):
    await member(desk)
    subscription = await desk.subscribe()
    await desk.happen(await desk.incident(), OPENED)
    await desk.read()
    claimed = await desk.claim(subscription)

    async def pause_and_break(tx: Tx) -> None:
        await record.failed(tx, claimed, GONE, jitter=0)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await desk.transactions.run(pause_and_break)

    assert await notices(desk) == []
    assert queue.named("deliver") == []


async def test_each_further_pause_is_told_anew(desk):
    await member(desk)
    subscription = await desk.subscribe()
    await is_paused(desk, subscription)
    await desk.change(subscription, is_enabled=True)

    await desk.run()

    assert len(await notices(desk)) == 2


async def test_nobody_is_told_of_what_somebody_has_disabled_meanwhile(desk):
    await member(desk)
    subscription = await desk.subscribe()
    await desk.happen(await desk.incident(), OPENED)
    await desk.read()
    claimed = await desk.claim(subscription)
    await desk.change(subscription, is_enabled=False)

    await desk.transactions.run(lambda tx: record.failed(tx, claimed, GONE, jitter=0))

    assert await notices(desk) == []
