"""An address is paged once it has been shown to be its person's."""

import re
from typing import Any

import httpx
import pytest
from tests import factories
from tests.credentials import key_with
from tests.notifications.arrangements import ScriptedChannel, temporary
from tests.stage import Stage

from incident_service.core.db import Transactions
from incident_service.notifications.channels.contract import Address, DeliveryFailed
from incident_service.notifications.delivery import Courier
from incident_service.notifications.message import OutgoingPage
from incident_service.teams.models import Channel

NTFY = {"kind": "ntfy", "address": "a-topic-that-nobody-guesses"}


@pytest.fixture
def channel() -> ScriptedChannel:
    return ScriptedChannel()


@pytest.fixture
def courier(transactions: Transactions, channel: ScriptedChannel) -> Courier:
    channels = dict.fromkeys((Channel.WEBHOOK, Channel.NTFY), channel)
    return Courier(transactions, channels, "https://incidents.example")


@pytest.fixture
async def own(anonymous, transactions, stage) -> httpx.AsyncClient:
    """The first one, with a key of their own."""
    scopes = ["read", "respond", "manage"]
    client: httpx.AsyncClient = anonymous
    client.headers.update(await key_with(transactions, user_id=stage.first.id, scopes=scopes))
    return client


def url_of(stage: Stage, method: dict[str, Any] | None = None) -> str:
    url = f"/v1/users/{stage.first.id}/contact-methods"
    return f"{url}/{method['id']}" if method else url


async def add(own: httpx.AsyncClient, stage: Stage, **method: Any) -> dict[str, Any]:
    answer = await own.post(url_of(stage), json=NTFY | method)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def code_for(
    own: httpx.AsyncClient, stage: Stage, courier: Courier, channel: ScriptedChannel, made: Any
) -> str:
    answer = await own.post(f"{url_of(stage, made)}/send-code")
    assert answer.status_code == 202, answer.text
    await courier.deliver(made["id"])
    found = re.search(r"[A-Z2-9]{8}", channel.pages[-1].note or "")
    assert found
    return found[0]


async def test_an_address_that_a_person_adds_is_not_paged_before_its_code_came_back(
    own, stage, courier, channel
):
    made = await add(own, stage)
    await stage.fire("Disk")
    before = await stage.told(await stage.incident())

    code = await code_for(own, stage, courier, channel, made)
    answer = await own.post(f"{url_of(stage, made)}/verify", json={"code": code})
    await stage.fire("Net")

    net = (await stage.incidents())[-1]
    assert made["unverified_since"] == "2026-11-02T12:00:00Z"
    assert before == ["First"]
    assert answer.json() == {"is_verified": True, "tries_left": 0}
    assert await stage.told(net) == ["First", "First"]


@pytest.mark.parametrize(
    ("method", "is_verified"),
    [
        ({"kind": "webhook", "address": "https://pager.example/own"}, True),
        ({"kind": "email", "address": "first@example.org"}, False),
        ({"kind": "sms", "address": "+15558675310"}, False),
    ],
)
async def test_only_machines_need_no_code(own, stage, method, is_verified):
    made = await add(own, stage, **method)

    assert (made["unverified_since"] is None) is is_verified


async def test_what_an_admin_sets_needs_no_code(api, stage):
    made = await add(api, stage)
    again = await api.post(f"{url_of(stage, made)}/send-code")

    assert made["unverified_since"] is None
    assert (again.status_code, again.json()["code"]) == (409, "already_verified")


async def test_an_admin_who_sets_another_address_vouches_for_it(own, transactions, stage):
    made = await add(own, stage)
    own.headers.update(await key_with(transactions, scopes=["admin", "manage", "read"]))

    answer = await own.patch(url_of(stage, made), json={"address": "a-topic-of-the-admin"})

    assert answer.json()["unverified_since"] is None


async def test_an_admin_who_changes_something_else_vouches_for_nothing(own, transactions, stage):
    made = await add(own, stage)
    own.headers.update(await key_with(transactions, scopes=["admin", "manage", "read"]))

    answer = await own.patch(url_of(stage, made), json={"bundle": False})

    assert answer.json()["unverified_since"] == made["unverified_since"]


async def test_a_code_or_test_for_the_old_address_is_not_sent_to_the_new_one(
    own, stage, courier, channel
):
    made = await add(own, stage)
    sending = await own.post(f"{url_of(stage, made)}/send-code")

    await own.patch(url_of(stage, made), json={"address": "another-topic-of-mine"})
    await courier.deliver(made["id"])

    page = (await own.get(f"/v1/pages/{sending.json()['page_id']}")).json()
    assert channel.pages == []
    assert page["status"] == "cancelled"
    assert page["last_error"] == "The address was changed before it was sent."


async def test_a_code_that_fails_while_its_address_changes_is_not_tried_again(
    own, stage, courier, channel, clock
):
    made = await add(own, stage)
    await own.post(f"{url_of(stage, made)}/send-code")
    channel.script.append(temporary())
    channel.during = lambda: own.patch(
        url_of(stage, made), json={"address": "another-topic-of-mine"}
    )
    await courier.deliver(made["id"])

    clock.advance(minutes=1)
    await courier.deliver(made["id"])

    assert len(channel.pages) == 1


async def test_five_wrong_codes_are_enough(own, stage, courier, channel):
    made = await add(own, stage)
    code = await code_for(own, stage, courier, channel, made)
    wrong = code[1:] + ("A" if code[0] != "A" else "B")

    left = [
        (await own.post(f"{url_of(stage, made)}/verify", json={"code": wrong})).json()["tries_left"]
        for _ in range(5)
    ]
    right = await own.post(f"{url_of(stage, made)}/verify", json={"code": code})

    assert left == [4, 3, 2, 1, 0]
    assert right.json() == {"is_verified": False, "tries_left": 0}


async def test_a_code_is_valid_for_an_hour(own, stage, courier, channel, clock):
    made = await add(own, stage)
    code = await code_for(own, stage, courier, channel, made)
    clock.advance(minutes=60)

    answer = await own.post(f"{url_of(stage, made)}/verify", json={"code": code})

    assert answer.json()["is_verified"] is False


async def test_codes_are_sent_at_most_once_a_minute(own, stage, courier, channel, clock):
    made = await add(own, stage)
    first = await code_for(own, stage, courier, channel, made)
    soon = await own.post(f"{url_of(stage, made)}/send-code")
    clock.advance(minutes=1)
    second = await code_for(own, stage, courier, channel, made)

    verified = await own.post(f"{url_of(stage, made)}/verify", json={"code": second})

    assert (soon.status_code, soon.json()["code"]) == (409, "just_sent")
    assert verified.json()["is_verified"] is True
    assert first is not second


async def test_a_new_address_needs_a_new_code(own, stage, courier, channel):
    made = await add(own, stage)
    code = await code_for(own, stage, courier, channel, made)
    await own.post(f"{url_of(stage, made)}/verify", json={"code": code})

    changed = await own.patch(url_of(stage, made), json={"address": "another-topic-of-mine"})

    assert changed.json()["unverified_since"] is not None


async def test_the_code_is_kept_as_a_hash_and_shown_nowhere(own, stage, courier, channel):
    made = await add(own, stage)
    code = await code_for(own, stage, courier, channel, made)

    shown = await own.get(url_of(stage, made))

    assert code not in shown.text
    assert "digest" not in shown.text


class EchoingChannel:
    """A provider that repeats in its answer what it was sent."""

    def __init__(self, *, takes: bool) -> None:
        self.takes = takes
        self.told = ""

    async def send(self, page: OutgoingPage, to: Address) -> str:
        self.told = page.note or ""
        if self.takes:
            return self.told
        raise DeliveryFailed("The mail server answered 550", said=self.told, permanent=True)


@pytest.mark.parametrize("takes", [True, False])
async def test_a_code_that_a_provider_repeats_is_not_shown(own, stage, transactions, takes):
    echoing = EchoingChannel(takes=takes)
    courier = Courier(transactions, {Channel.NTFY: echoing}, "https://incidents.example")
    made = await add(own, stage)
    sent = (await own.post(f"{url_of(stage, made)}/send-code")).json()
    await courier.deliver(made["id"])

    page = (await own.get(f"/v1/pages/{sent['page_id']}")).json()

    assert re.search(r"[A-Z2-9]{8}", echoing.told)
    assert "Your code for incident-service is ***." in page["attempts"][0]["detail"]
    assert not re.search(r"[A-Z2-9]{8}", str(page))


async def test_a_test_says_whether_it_came(own, stage, courier, channel):
    (method,) = (await own.get(url_of(stage))).json()["items"]
    sent = (await own.post(f"{url_of(stage, method)}/test")).json()
    await courier.deliver(method["id"])

    page = (await own.get(f"/v1/pages/{sent['page_id']}")).json()

    assert channel.pages[0].note
    assert channel.pages[0].incidents == ()
    assert page["status"] == "sent"
    assert [(each["delivered"], each["detail"]) for each in page["attempts"]] == [(True, "200")]


async def test_a_test_says_why_it_did_not_come(own, stage, courier, channel):
    channel.script.append(DeliveryFailed("The receiver answered 404.", permanent=True))
    (method,) = (await own.get(url_of(stage))).json()["items"]
    sent = (await own.post(f"{url_of(stage, method)}/test")).json()
    await courier.deliver(method["id"])

    page = (await own.get(f"/v1/pages/{sent['page_id']}")).json()

    assert (page["status"], page["last_error"]) == ("failed", "The receiver answered 404.")


async def test_a_test_delays_no_page(own, stage, courier, channel):
    (method,) = (await own.get(url_of(stage))).json()["items"]
    await own.post(f"{url_of(stage, method)}/test")
    await courier.deliver(method["id"])

    await stage.fire("Disk", severity="warning")
    await courier.deliver(method["id"])

    assert [bool(page.note) for page in channel.pages] == [True, False]


async def test_users_who_cannot_be_paged_are_listed(api, transactions, stage):
    async with transactions.open() as tx:
        nobody = await factories.make_user(tx, address=None)
        off = await factories.make_user(tx, is_active=False)
        waiting = await factories.make_user(tx, address=None)
        await factories.make_contact_method(
            tx, waiting, kind=Channel.NTFY, address="topic", unverified_since=tx.now
        )

    found = {
        wanted: {item["id"] for item in (await api.get("/v1/users", params=wanted)).json()["items"]}
        for wanted in ("reachable=false", "reachable=true")
    }

    assert found["reachable=false"] == {str(each.id) for each in (nobody, off, waiting)}
    assert str(stage.first.id) in found["reachable=true"]


async def test_a_code_may_be_typed_in_small_letters(own, stage, courier, channel):
    made = await add(own, stage)
    code = await code_for(own, stage, courier, channel, made)

    answer = await own.post(f"{url_of(stage, made)}/verify", json={"code": code.lower()})

    assert answer.json()["is_verified"] is True


async def test_a_person_is_sent_one_message_a_minute_whatever_the_address(own, stage):
    first = await add(own, stage)
    second = await add(own, stage, address="another-topic-of-mine")
    (webhook, *_) = (await own.get(url_of(stage))).json()["items"]

    await own.post(f"{url_of(stage, first)}/send-code")
    answers = [
        await own.post(f"{url_of(stage, second)}/send-code"),
        await own.post(f"{url_of(stage, webhook)}/test"),
    ]

    assert [answer.json()["code"] for answer in answers] == ["just_sent", "just_sent"]


async def test_no_test_is_sent_to_an_address_that_may_be_a_strangers(own, stage):
    made = await add(own, stage)

    answer = await own.post(f"{url_of(stage, made)}/test")

    assert (answer.status_code, answer.json()["code"]) == (409, "not_verified")


async def test_nothing_is_sent_to_an_address_that_was_changed_and_not_verified(
    own, api, stage, courier, channel
):
    made = await add(api, stage)
    await stage.fire("Disk")
    await own.patch(url_of(stage, made), json={"address": "another-topic-of-mine"})

    await courier.deliver(made["id"])

    assert channel.pages == []
