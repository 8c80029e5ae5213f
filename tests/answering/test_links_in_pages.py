"""Which pages carry a link."""

from dataclasses import replace

import pytest
from tests import factories
from tests.answering.conftest import PUBLIC_URL
from tests.notifications.arrangements import (
    Scene,
    ScriptedChannel,
    page_about,
    set_scene,
    temporary,
)

from incident_service.notifications import actions
from incident_service.notifications.delivery import Courier
from incident_service.notifications.models import NotificationKind
from incident_service.teams.models import Channel


class Nobody(Scene):
    """An address that is nobody's in particular."""

    def recipient(self) -> actions.Recipient:
        return actions.Recipient(None, self.method.id)


@pytest.fixture
def channel() -> ScriptedChannel:
    return ScriptedChannel()


@pytest.fixture
def courier(transactions, channel, links) -> Courier:
    return Courier(
        transactions, {Channel.WEBHOOK: channel}, PUBLIC_URL, links=links, jitter=lambda: 0.0
    )


async def test_each_page_of_a_person_has_its_own_link(transactions, courier, channel, links):
    scene = await set_scene(transactions, bundle=False)
    await page_about(transactions, scene, 2)

    await courier.deliver(scene.method.id)

    one, two = channel.pages
    assert [one.answer_url, two.answer_url] == [links.url(one.id), links.url(two.id)]
    assert one.id != two.id


async def test_every_attempt_has_the_same_link(transactions, courier, channel, clock):
    scene = await set_scene(transactions)
    await page_about(transactions, scene)
    channel.script.append(temporary())

    await courier.deliver(scene.method.id)
    clock.advance(minutes=5)
    await courier.deliver(scene.method.id)

    first, second = channel.pages
    assert first.answer_url == second.answer_url


async def test_an_update_has_a_link_too(transactions, courier, channel):
    scene = await set_scene(transactions)
    await page_about(transactions, scene, kind=NotificationKind.UPDATE)

    await courier.deliver(scene.method.id)

    assert channel.pages[0].answer_url


async def test_a_fallback_contact_gets_no_link(transactions, courier, channel):
    scene = await set_scene(transactions)
    async with transactions.open() as tx:
        fallback = await factories.make_contact_method(tx, None)
    nobody = Nobody(scene.service, scene.user, fallback)
    await page_about(transactions, nobody)

    await courier.deliver(fallback.id)

    (page,) = channel.pages
    assert page == replace(page, answer_url=None)


async def test_without_a_key_there_is_no_link(transactions, channel):
    courier = Courier(transactions, {Channel.WEBHOOK: channel}, PUBLIC_URL)
    scene = await set_scene(transactions)
    await page_about(transactions, scene)

    await courier.deliver(scene.method.id)

    assert channel.pages[0].answer_url is None
