"""Channels fail, and somebody is told all the same."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from tests import factories
from tests.stage import Stage

from incident_service.catalog.models import Service
from incident_service.core.db import Transactions
from incident_service.escalation import unreached
from incident_service.notifications.channels.contract import Address, DeliveryFailed
from incident_service.notifications.delivery import Courier
from incident_service.notifications.message import OutgoingPage
from incident_service.notifications.models import Notification, NotificationStatus
from incident_service.teams.models import Channel, ContactMethod, User

GONE = "gone"
DOWN = "down"


class Addresses:
    """A channel whose addresses work, except those that are `gone` or `down`.

    `meanwhile` is what happens while a page is sent to an address.
    """

    def __init__(self) -> None:
        self.state: dict[str, str] = {}
        self.took: list[str] = []
        self.meanwhile: dict[str, Callable[[], Any]] = {}

    async def send(self, page: OutgoingPage, to: Address) -> str:
        if meanwhile := self.meanwhile.get(to.address):
            await meanwhile()
        match self.state.get(to.address):
            case "gone":
                raise DeliveryFailed("The receiver answered 404.", permanent=True)
            case "down":
                raise DeliveryFailed("The receiver answered 503.")
            case _:
                self.took.append(to.address)
                return "200"


@pytest.fixture
def addresses() -> Addresses:
    return Addresses()


@pytest.fixture
def courier(transactions: Transactions, addresses: Addresses) -> Courier:
    return Courier(
        transactions,
        {Channel.WEBHOOK: addresses},
        "https://incidents.example",
        jitter=lambda: 0.0,
        given_up=unreached.go_on,
    )


@pytest.fixture
def live(stage: Stage, courier: Courier, transactions: Transactions) -> Callable[..., Any]:
    """Let time pass, some seconds at a time, with everything at work that a worker does."""

    async def live_for(seconds: float = 0, *, at_a_time: float = 30) -> None:
        end = stage.clock.now + timedelta(seconds=seconds)
        while True:
            await work()
            if stage.clock.now >= end:
                return
            stage.clock.now = min(end, stage.clock.now + timedelta(seconds=at_a_time))

    async def work() -> None:
        await stage.reconcile()
        for method in await stage.rows(select(ContactMethod.id)):
            await courier.deliver(method)
        if await came_forward():
            await work()

    async def came_forward() -> bool:
        swept = await unreached.unreached_levels(transactions).sweep()
        timers = await stage.reconcile()
        due = select(Notification.id).where(
            Notification.status == NotificationStatus.PENDING,
            Notification.due_at <= stage.clock.now,
        )
        return bool(swept.done) or timers <= timedelta(0) or bool(await stage.rows(due))

    return live_for


def at(name: str) -> str:
    return f"https://pager.example/{name}"


async def another_address(api: Any, stage: Stage, minutes: int) -> str:
    """The first one's second address, which follows after some minutes."""
    url = f"/v1/users/{stage.first.id}"
    (first,) = (await api.get(f"{url}/contact-methods")).json()["items"]
    body = {"kind": "webhook", "address": at("First-again")}
    second = (await api.post(f"{url}/contact-methods", json=body)).json()
    rules = [
        {"priority": "critical", "contact_method_id": first["id"], "delay_minutes": 0},
        {"priority": "critical", "contact_method_id": second["id"], "delay_minutes": minutes},
    ]
    answer = await api.put(f"{url}/notification-rules", json={"rules": rules})
    assert answer.status_code == 200
    return at("First-again")


async def test_when_an_address_is_gone_the_persons_next_one_follows_at_once(
    api, stage, addresses, live
):
    again = await another_address(api, stage, minutes=4)
    addresses.state[at("First")] = GONE

    await stage.fire("Disk")
    await live()

    assert addresses.took == [again]
    assert "level_unreached" not in await stage.kinds(await stage.incident())


async def test_when_all_addresses_of_a_level_are_gone_the_next_level_follows_at_once(
    stage, addresses, live
):
    addresses.state[at("First")] = GONE

    await stage.fire("Disk")
    await live()

    incident = await stage.incident()
    assert addresses.took == [at("Second")]
    assert (await stage.kinds(incident))[2:] == ["page_failed", "level_unreached", "paged"]
    assert (await stage.pending(incident)).scheduled_for == stage.clock.now + timedelta(minutes=5)
    assert await stage.violations() == []


async def test_a_level_that_no_channel_takes_in_two_minutes_counts_as_empty(stage, addresses, live):
    addresses.state[at("First")] = DOWN

    await stage.fire("Disk")
    await live(90)
    before = list(addresses.took)
    await live(60)

    assert (before, addresses.took) == ([], [at("Second")])
    assert "level_unreached" in await stage.kinds(await stage.incident())
    assert await stage.violations() == []


async def test_the_channels_go_on_trying_meanwhile(stage, addresses, live):
    addresses.state[at("First")] = DOWN
    await stage.fire("Disk")
    await live(130)

    del addresses.state[at("First")]
    await live(150)

    assert at("First") in addresses.took


async def test_one_address_that_takes_the_page_is_enough(api, stage, addresses, live):
    url = f"/v1/users/{stage.first.id}/contact-methods"
    await api.post(url, json={"kind": "webhook", "address": at("First-again")})
    addresses.state[at("First")] = DOWN

    await stage.fire("Disk")
    await live(180)

    assert addresses.took == [at("First-again")]
    assert "level_unreached" not in await stage.kinds(await stage.incident())


async def test_what_a_person_put_off_is_no_failure(api, stage, addresses, live):
    again = await another_address(api, stage, minutes=4)
    await stage.fire("Disk")
    await live(240)

    assert addresses.took == [at("First"), again]
    assert "level_unreached" not in await stage.kinds(await stage.incident())


async def test_an_acknowledge_ends_it_although_nothing_got_through(stage, addresses, live):
    addresses.state[at("First")] = DOWN
    await stage.fire("Disk")
    await live(60)
    await stage.do("acknowledge", await stage.incident(), by=stage.second)

    await live(120)

    assert addresses.took == []


async def test_when_every_channel_is_down_the_climb_ends_and_says_so(stage, addresses, live):
    for name in ("First", "Second", "Manager"):
        addresses.state[at(name)] = DOWN

    await stage.fire("Disk")
    await live(300)

    kinds = await stage.kinds(await stage.incident())
    assert kinds.count("level_unreached") == 2
    assert "exhausted" in kinds
    assert await stage.violations() == []


async def test_after_an_hour_the_fallback_contact_is_told_once(
    stage, transactions, addresses, live
):
    async with transactions.open() as tx:
        fallback = await factories.make_contact_method(tx, None, address=at("fallback"))
    for name in ("First", "Second", "Manager"):
        addresses.state[at(name)] = DOWN

    await stage.fire("Disk")
    await live(3700, at_a_time=150)

    rows = await stage.rows(
        select(Notification).where(Notification.contact_method_id == fallback.id)
    )
    assert [row.status for row in rows] == [NotificationStatus.SENT]
    assert addresses.took == [at("fallback")]


async def make_inactive(api: Any, person: User) -> None:
    answer = await api.patch(f"/v1/users/{person.id}?force=true", json={"is_active": False})
    assert answer.status_code == 200


async def want_quiet(api: Any, person: User) -> None:
    quiet = {"from_time": "11:30", "to_time": "13:00"}
    url = f"/v1/users/{person.id}/notification-rules"
    assert (await api.put(url, json={"rules": [], "quiet_hours": quiet})).status_code == 200


async def test_when_the_only_one_of_a_level_is_made_inactive_the_next_level_follows_at_once(
    api, stage, addresses, live
):
    await want_quiet(api, stage.first)
    await stage.fire("Disk", severity="warning")
    await live()

    await make_inactive(api, stage.first)
    await live()

    incident = await stage.incident()
    listed = await api.get(f"/v1/incidents/{incident.id}/notifications")
    assert addresses.took == [at("Second")]
    assert listed.json()["items"][0]["why"] == "The person was made inactive before it was sent."
    assert await stage.violations() == []


async def test_when_one_of_a_level_is_made_inactive_it_is_left_to_the_others(
    api, stage, transactions, addresses, live
):
    async with transactions.open() as tx:
        both = await factories.make_policy(tx, stage.team, [None, stage.second])
        (await tx.session.get_one(Service, stage.service.id)).escalation_policy_id = both.id
    await want_quiet(api, stage.first)
    await stage.fire("Disk", severity="warning")
    await live()
    before = list(addresses.took)

    await make_inactive(api, stage.first)
    await live()

    assert addresses.took == before
    assert "level_unreached" not in await stage.kinds(await stage.incident())


async def test_when_the_manager_who_is_to_hear_of_the_end_is_made_inactive_the_fallback_hears(
    api, stage, transactions, addresses, live
):
    await fallback_contact(transactions)
    for name in ("First", "Second"):
        addresses.state[at(name)] = GONE
    await want_quiet(api, stage.manager)
    await stage.fire("Disk", severity="warning")
    await live()

    await make_inactive(api, stage.manager)
    await live()

    assert addresses.took == [at("fallback")]


async def fallback_contact(transactions: Transactions) -> ContactMethod:
    async with transactions.open() as tx:
        return await factories.make_contact_method(tx, None, address=at("fallback"))


async def test_when_all_addresses_are_gone_the_fallback_contact_is_told_once_an_epoch(
    stage, transactions, addresses, live
):
    await fallback_contact(transactions)
    for name in ("First", "Second", "Manager"):
        addresses.state[at(name)] = GONE

    await stage.fire("Disk")
    await live()
    at_once = list(addresses.took)
    await live(3700, at_a_time=150)
    within_the_epoch = list(addresses.took)
    incident = await stage.incident()
    await stage.do("restart", incident)
    await live()

    assert at_once == within_the_epoch == [at("fallback")]
    assert addresses.took == [at("fallback")] * 2
    assert "reminded" in await stage.kinds(incident)
    assert await stage.violations() == []


async def test_when_nobody_can_be_paged_and_the_managers_are_gone_the_fallback_contact_is_told(
    api, stage, transactions, addresses, live
):
    await fallback_contact(transactions)
    addresses.state[at("Manager")] = GONE
    for person in (stage.first, stage.second):
        await api.patch(f"/v1/users/{person.id}?force=true", json={"is_active": False})

    await stage.fire("Disk")
    await live()

    assert "nobody_to_page" in await stage.kinds(await stage.incident())
    assert addresses.took == [at("fallback")]


async def test_the_fallback_contact_is_not_told_of_what_was_snoozed_meanwhile(
    stage, transactions, addresses, live
):
    contact = await fallback_contact(transactions)
    for name in ("First", "Second", "Manager"):
        addresses.state[at(name)] = GONE
    addresses.meanwhile[at("Manager")] = lambda: snooze(stage)

    await stage.fire("Disk")
    await live()

    told = select(Notification).where(Notification.contact_method_id == contact.id)
    assert await stage.rows(told) == []
    assert await stage.violations() == []


async def snooze(stage: Stage) -> None:
    until = stage.clock.now + timedelta(hours=1)
    await stage.do("snooze", await stage.incident(), by=stage.second, until=until)


async def test_a_manager_who_has_the_page_is_enough(stage, transactions, addresses, live):
    await fallback_contact(transactions)
    for name in ("First", "Second"):
        addresses.state[at(name)] = GONE

    await stage.fire("Disk")
    await live(600)

    assert set(addresses.took) == {at("Manager")}


async def test_no_further_address_follows_where_one_has_the_page(api, stage, addresses, live):
    url = f"/v1/users/{stage.first.id}/contact-methods"
    made = [
        (await api.post(url, json={"kind": "webhook", "address": at(f"First-{n}")})).json()
        for n in (2, 3)
    ]
    first = (await api.get(url)).json()["items"][0]
    delays = zip([first, *made], (0, 0, 4), strict=True)
    rules = [
        {"priority": "critical", "contact_method_id": each["id"], "delay_minutes": minutes}
        for each, minutes in delays
    ]
    await api.put(f"/v1/users/{stage.first.id}/notification-rules", json={"rules": rules})
    addresses.state[at("First-2")] = GONE

    await stage.fire("Disk")
    await live(60)

    assert addresses.took == [at("First")]


async def test_a_page_that_was_not_tried_yet_is_no_failure(stage, transactions):
    await stage.fire("Disk")
    stage.clock.advance(minutes=4)

    swept = await unreached.unreached_levels(transactions).sweep()

    assert swept.done == 0
