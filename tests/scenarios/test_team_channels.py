"""A level tells a team's channel in addition to its people."""

import pytest
from sqlalchemy import select
from tests import factories

from incident_service.escalation import unreached
from incident_service.notifications.channels.contract import Address, DeliveryFailed
from incident_service.notifications.delivery import Courier
from incident_service.notifications.message import OutgoingPage
from incident_service.notifications.spacing import SPACING
from incident_service.teams.models import Channel, ContactMethod

CHAT = "https://chat.example/payments"


class Taking:
    """A channel that takes every page, except at addresses that are `gone`."""

    def __init__(self) -> None:
        self.pages: list[tuple[str, OutgoingPage]] = []
        self.gone: set[str] = set()

    async def send(self, page: OutgoingPage, to: Address) -> str:
        if to.address in self.gone:
            raise DeliveryFailed("The receiver answered 404.", permanent=True)
        self.pages.append((to.address, page))
        return "200"

    def at(self, address: str) -> list[OutgoingPage]:
        return [page for to, page in self.pages if to == address]


@pytest.fixture
def taking():
    return Taking()


@pytest.fixture
async def channel(stage, transactions):
    async with transactions.open() as tx:
        return await factories.make_team_channel(tx, stage.team, name="#payments", address=CHAT)


@pytest.fixture
async def policy_url(api, stage, channel):
    """The first level of the policy tells the channel, too."""
    url = f"/v1/escalation-policies/{stage.policy.id}"
    level = {
        "target_type": "user",
        "target_id": str(stage.first.id),
        "additional_targets": [{"target_type": "team_channel", "target_id": str(channel.id)}],
        "timeout_minutes": 5,
    }
    answer = await api.put(f"{url}/levels/1", json=level)
    assert answer.status_code == 200, answer.text
    return url


@pytest.fixture
def deliver(stage, transactions, taking):
    courier = Courier(
        transactions,
        {Channel.WEBHOOK: taking},
        "https://incidents.example",
        jitter=lambda: 0.0,
        given_up=unreached.go_on,
    )

    async def work():
        for method in await stage.rows(select(ContactMethod.id)):
            await courier.deliver(method)

    return work


async def test_a_channel_is_told_with_the_people_of_its_level(
    api, stage, policy_url, channel, deliver, taking
):
    await stage.fire("Disk")
    await deliver()

    incident = await stage.incident()
    assert len(taking.at(stage.address("First"))) == 1
    assert [page.incidents[0].title for page in taking.at(CHAT)] == ["Disk is on fire"]
    assert taking.at(CHAT)[0].answer_url is None
    paged = next(event for event in await stage.events(incident) if event.kind == "paged")
    assert paged.data["channels"] == [{"id": str(channel.id), "name": "#payments"}]
    listed = (await api.get(f"/v1/incidents/{incident.id}/notifications")).json()["items"]
    assert [(item["recipient"], item["status"]) for item in listed] == [
        ("First", "sent"),
        ("#payments", "sent"),
    ]


async def test_a_channel_hears_of_the_answer(stage, policy_url, deliver, taking):
    await stage.fire("Disk")
    await deliver()
    await stage.do("acknowledge", await stage.incident(), by=stage.first)
    stage.clock.now += SPACING
    await deliver()

    told = taking.at(CHAT)
    assert [page.incidents[0].kind for page in told] == ["page", "update"]
    assert told[1].incidents[0].reason == "acknowledged by First"


async def test_a_channel_that_waits_hears_nothing_once_it_is_answered(
    stage, policy_url, deliver, taking
):
    await stage.fire("Disk")
    await stage.do("acknowledge", await stage.incident(), by=stage.first)
    await deliver()

    assert taking.pages == []


async def test_a_channel_that_has_the_page_is_nobody_who_answers(
    stage, policy_url, deliver, taking
):
    taking.gone.add(stage.address("First"))

    await stage.fire("Disk")
    await deliver()
    await stage.reconcile()

    kinds = await stage.kinds(await stage.incident())
    assert len(taking.at(CHAT)) == 1
    assert kinds[2:] == ["page_failed", "level_unreached", "paged"]


async def test_a_channel_that_is_gone_keeps_no_level_from_counting(
    stage, policy_url, deliver, taking
):
    taking.gone.add(CHAT)

    await stage.fire("Disk")
    await deliver()
    await stage.reconcile()

    incident = await stage.incident()
    assert len(taking.at(stage.address("First"))) == 1
    assert "level_unreached" not in await stage.kinds(incident)
    assert incident.current_level == 1


async def test_when_it_fires_again_a_level_of_which_only_the_channel_heard_is_paged(
    stage, policy_url, transactions, deliver, taking
):
    await stage.fire("Disk")
    courier = Courier(transactions, {Channel.WEBHOOK: taking}, "https://incidents.example")
    for row in await stage.notifications(await stage.incident()):
        if row.user_id is None:
            await courier.deliver(row.contact_method_id)
    await stage.clear("Disk")
    await stage.wait(1)
    await stage.refire("Disk")
    await deliver()

    assert len(taking.at(stage.address("First"))) == 1


async def test_a_channel_that_is_switched_off_is_not_told_and_warned_about(
    api, stage, policy_url, channel, deliver, taking
):
    await api.patch(f"/v1/teams/{stage.team.id}/channels/{channel.id}", json={"is_enabled": False})
    await stage.fire("Disk")
    await deliver()

    assert taking.at(CHAT) == []
    warnings = (await api.get(policy_url)).json()["warnings"]
    assert [(each["code"], each["level_number"]) for each in warnings] == [("channel_off", 1)]
    assert "#payments" in warnings[0]["message"]


async def test_a_preview_names_the_channels(api, stage, policy_url, channel):
    shown = (await api.get(f"{policy_url}/preview")).json()

    assert [level["channels"] for level in shown["levels"]] == [
        [{"id": str(channel.id), "name": "#payments"}],
        [],
    ]


async def test_the_fallback_contact_is_no_teams_channel(stage, policy_url, transactions, deliver):
    async with transactions.open() as tx:
        for user in (stage.first, stage.second, stage.manager):
            (await tx.session.get_one(type(user), user.id)).is_active = False

    await stage.fire("Disk")

    assert await stage.told(await stage.incident()) == []


async def test_a_test_reaches_the_channel_once_a_minute(api, stage, channel, deliver, taking):
    url = f"/v1/teams/{stage.team.id}/channels/{channel.id}/test"

    sent = await api.post(url)
    again = await api.post(url)
    await deliver()

    page = (await api.get(f"/v1/pages/{sent.json()['page_id']}")).json()
    assert again.status_code == 409
    assert [each.note is not None for each in taking.at(CHAT)] == [True]
    assert (page["status"], page["user_id"]) == ("sent", None)
