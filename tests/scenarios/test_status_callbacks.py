"""Twilio takes a page and says later that it did not come: somebody else is told at once."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from urllib.parse import urlsplit

import httpx
import pytest
import structlog
from prometheus_client import REGISTRY
from sqlalchemy import select
from tests import factories
from tests.notifications.arrangements import ScriptedChannel
from tests.stage import Stage

from incident_service.core.db import Transactions
from incident_service.core.ids import new_id
from incident_service.escalation import unreached
from incident_service.notifications.channels.twilio_callbacks import Fields, TwilioCallbacks
from incident_service.notifications.delivery import Courier
from incident_service.notifications.models import Notification, NotificationStatus, Page
from incident_service.settings import Settings
from incident_service.teams.models import Channel, ContactMethod, User

PUBLIC_URL = "https://pages.example/pager"
AUTH_TOKEN = "0123456789abcdef0123456789abcdef"
CALLBACKS = TwilioCallbacks(PUBLIC_URL, AUTH_TOKEN)
SID = "SMaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"


@pytest.fixture
def settings() -> Settings:
    return Settings(_env_file=None, public_url=PUBLIC_URL + "/", twilio_auth_token=AUTH_TOKEN)


@pytest.fixture
def twilio() -> ScriptedChannel:
    return ScriptedChannel()


@pytest.fixture
def courier(transactions: Transactions, twilio: ScriptedChannel) -> Courier:
    channels = dict.fromkeys((Channel.SMS, Channel.VOICE, Channel.WEBHOOK), twilio)
    return Courier(transactions, channels, PUBLIC_URL, given_up=unreached.go_on)


Work = Callable[[], Awaitable[list[str]]]


@pytest.fixture
def work(stage: Stage, courier: Courier, twilio: ScriptedChannel) -> Work:
    """Do what is due at this instant; return the addresses that got something by that."""

    async def do() -> list[str]:
        before = len(twilio.addresses)
        await stage.reconcile()
        for method in await stage.rows(select(ContactMethod.id)):
            await courier.deliver(method)
        return [each.address for each in twilio.addresses[before:]]

    return do


Report = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
def report(anonymous: httpx.AsyncClient, stage: Stage) -> Report:
    """Report of a page, or of the newest, as Twilio does: by a proxy that takes `/pager` away."""

    async def send(
        status: str, *, of: str = "MessageStatus", page: Page | None = None, **more: str
    ) -> httpx.Response:
        page = page or (await stage.rows(select(Page).order_by(Page.id.desc())))[0]
        url = CALLBACKS.url(page.id, page.attempts)
        fields = {"MessageSid": SID, of: status, "ErrorCode": "", "To": "+15558675310"} | more
        return await send_signed(anonymous, url, list(fields.items()))

    return send


async def send_signed(
    client: httpx.AsyncClient, url: str, fields: Fields, *, signature: str | None = None
) -> httpx.Response:
    signed = CALLBACKS.sign(url, fields) if signature is None else signature
    return await client.post(
        urlsplit(url).path.removeprefix("/pager"),
        data=dict(fields),
        headers={"X-Twilio-Signature": signed},
    )


async def give_phone(
    transactions: Transactions, person: User, *, kind: Channel = Channel.SMS, number: str
) -> str:
    """Replace a person's addresses by a phone."""
    async with transactions.open() as tx:
        for method in await tx.session.scalars(
            select(ContactMethod).where(ContactMethod.user_id == person.id)
        ):
            await tx.session.delete(method)
        await tx.flush()
        await factories.make_contact_method(tx, person, kind=kind, address=number)
    return number


async def follow_by_call(api: httpx.AsyncClient, stage: Stage, number: str) -> str:
    """Let the first one be called four minutes after the text message."""
    url = f"/v1/users/{stage.first.id}"
    (sms,) = (await api.get(f"{url}/contact-methods")).json()["items"]
    made = await api.post(f"{url}/contact-methods", json={"kind": "voice", "address": number})
    ids = {sms["id"]: 0, made.json()["id"]: 4}
    rules = [
        {"priority": "critical", "contact_method_id": each, "delay_minutes": minutes}
        for each, minutes in ids.items()
    ]
    answer = await api.put(f"{url}/notification-rules", json={"rules": rules})
    assert answer.status_code == 200
    return number


@pytest.fixture
async def phones(transactions: Transactions, stage: Stage) -> tuple[str, str]:
    """The numbers of the first and the second one."""
    return (
        await give_phone(transactions, stage.first, number="+15558675310"),
        await give_phone(transactions, stage.second, number="+15558675320"),
    )


async def test_what_was_delivered_is_shown_and_pages_nobody_else(api, stage, phones, work, report):
    await stage.fire("Disk")
    first = await work()

    answer = await report("delivered")

    incident = await stage.incident()
    told = (await api.get(f"/v1/incidents/{incident.id}/notifications")).json()["items"][0]
    page = (await api.get(f"/v1/pages/{told['page_id']}")).json()
    [attempt] = page["attempts"]
    assert (answer.status_code, answer.content) == (204, b"")
    assert (first, await work()) == ([phones[0]], [])
    assert (told["status"], told["provider_said"], told["provider_status"]) == (
        "sent",
        "200",
        "delivered",
    )
    assert (page["status"], attempt["provider_status"], attempt["provider_status_at"]) == (
        "sent",
        "delivered",
        "2026-11-02T12:00:00Z",
    )


async def test_when_a_message_did_not_come_the_persons_next_address_follows_at_once(
    api, stage, phones, work, report
):
    call = await follow_by_call(api, stage, "+15558675311")
    await stage.fire("Disk")
    await work()

    await report("undelivered", ErrorCode="30003")

    incident = await stage.incident()
    [told, _] = (await api.get(f"/v1/incidents/{incident.id}/notifications")).json()["items"]
    page = (await api.get(f"/v1/pages/{told['page_id']}")).json()
    assert await work() == [call]
    assert (await stage.kinds(incident))[2:] == ["page_failed"]
    assert (told["status"], told["provider_status"]) == ("failed", "undelivered")
    assert told["last_error"] == "Twilio says undelivered (error 30003)."
    assert page["attempts"][0]["provider_error"] == "30003"


async def test_when_nothing_came_to_a_level_the_next_level_follows_at_once(
    api, stage, phones, work, report
):
    await follow_by_call(api, stage, "+15558675311")
    await stage.fire("Disk")
    await work()
    await report("undelivered")
    await work()

    await report("no-answer", of="CallStatus")

    incident = await stage.incident()
    assert await work() == [phones[1]]
    assert (await stage.kinds(incident))[2:] == [
        "page_failed",
        "page_failed",
        "level_unreached",
        "paged",
    ]
    assert (await stage.pending(incident)).scheduled_for == stage.clock.now + timedelta(minutes=5)
    assert await stage.violations() == []


async def test_after_an_acknowledge_nobody_is_paged(api, stage, phones, work, report):
    await follow_by_call(api, stage, "+15558675311")
    await stage.fire("Disk")
    await work()
    await stage.do("acknowledge", await stage.incident(), by=stage.first)

    await report("undelivered")

    incident = await stage.incident()
    assert await work() == []
    assert await stage.told(incident) == ["First", "First"]
    assert (await stage.kinds(incident))[-1] == "page_failed"
    assert not await stage.is_waiting(incident)


async def test_of_two_incidents_in_one_page_the_one_that_is_open_goes_on(
    stage, phones, work, report
):
    await stage.fire("Disk", "Net")
    await work()
    disk, net = await stage.incidents()
    await stage.do("acknowledge", disk, by=stage.second)

    await report("undelivered")

    assert await work() == [phones[1]]
    assert "level_unreached" not in await stage.kinds(disk)
    assert "level_unreached" in await stage.kinds(net)
    assert await stage.violations() == []


async def test_a_report_that_comes_again_pages_nobody_again(stage, phones, work, report):
    await stage.fire("Disk")
    await work()
    await report("undelivered")
    (page,) = await stage.rows(select(Page))
    await work()
    before = await stage.kinds(await stage.incident())

    answers = [await report("undelivered", page=page) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [204] * 3
    assert await work() == []
    assert await stage.kinds(await stage.incident()) == before


async def test_late_words_change_nothing(stage, phones, work, report):
    await stage.fire("Disk")
    await work()

    answers = [await report(each) for each in ("delivered", "sent", "queued", "undelivered")]

    (row,) = await stage.rows(select(Notification))
    assert [answer.status_code for answer in answers] == [204] * 4
    assert row.status is NotificationStatus.SENT


@pytest.mark.parametrize("word", ["teleported", "", "completed", "DELIVERED", "x" * 5000])
async def test_an_unknown_word_changes_nothing(api, stage, phones, work, report, word):
    await stage.fire("Disk")
    await work()

    answer = await report(word)

    (page,) = await stage.rows(select(Page))
    shown = (await api.get(f"/v1/pages/{page.id}")).json()
    assert answer.status_code == 204
    assert (shown["status"], shown["attempts"][0]["provider_status"]) == ("sent", None)


async def test_whoever_cannot_sign_is_refused(anonymous, stage, phones, work):
    await stage.fire("Disk")
    await work()
    (page,) = await stage.rows(select(Page))
    url = CALLBACKS.url(page.id, 1)
    fields = [("MessageSid", SID), ("MessageStatus", "undelivered")]
    of_another = CALLBACKS.sign(CALLBACKS.url(page.id, 2), fields)
    by_another = TwilioCallbacks(PUBLIC_URL, "x" * 32).sign(url, fields)

    answers = [
        await send_signed(anonymous, url, fields, signature=signature)
        for signature in ("", "AAAA", of_another, by_another)
    ]

    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {
        (403, "not_signed")
    }
    assert {answer.headers["content-type"] for answer in answers} == {"application/problem+json"}
    assert (await stage.rows(select(Page.status))) == ["sent"]


@pytest.mark.parametrize(
    "changed", [{"twilio_auth_token": ""}, {"public_url": ""}, {"public_url": "http://localhost"}]
)
async def test_without_twilio_or_a_public_address_nothing_is_taken(
    app, anonymous, settings, changed
):
    app.state.settings = Settings(
        _env_file=None, **{"public_url": PUBLIC_URL, "twilio_auth_token": AUTH_TOKEN} | changed
    )

    answer = await send_signed(anonymous, CALLBACKS.url(new_id(), 1), [("MessageStatus", "sent")])

    assert answer.status_code == 403


async def test_of_a_page_or_an_attempt_that_does_not_exist_nothing_is_known(
    anonymous, stage, phones, work
):
    await stage.fire("Disk")
    await work()
    (page,) = await stage.rows(select(Page))
    fields = [("MessageStatus", "undelivered")]

    answers = [
        await send_signed(anonymous, CALLBACKS.url(*named), fields)
        for named in [(new_id(), 1), (page.id, 2), (page.id, 10**30)]
    ]

    assert [answer.status_code for answer in answers] == [404] * 3


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 403), (b"\xff\xfe", 400), (b"a=%FF", 400), (b"a=" + b"x" * 70_000, 413)],
    ids=["empty", "no text", "no UTF-8 in it", "too large"],
)
async def test_what_is_no_report_is_refused(anonymous, body, status):
    answer = await anonymous.post(f"/v1/callbacks/twilio/{new_id()}/1", content=body)

    assert answer.status_code == status


async def test_neither_the_signature_nor_the_token_is_logged(stage, phones, work, report):
    await stage.fire("Disk")
    await work()

    with structlog.testing.capture_logs() as logged:
        await report("undelivered", ErrorCode="30003")

    (line,) = [each for each in logged if each["event"] == "delivery.failed"]
    assert line["error"] == "Twilio says undelivered (error 30003)."
    assert AUTH_TOKEN not in str(logged)
    assert "signature" not in str(logged).lower()


@pytest.mark.parametrize(
    ("kind", "word", "counted"),
    [
        (Channel.SMS, "undelivered", 1),
        (Channel.VOICE, "failed", 1),
        (Channel.VOICE, "no-answer", 0),
        (Channel.VOICE, "busy", 0),
    ],
)
async def test_operators_hear_of_what_did_not_come_not_of_who_did_not_pick_up(
    transactions, stage, work, report, kind, word, counted
):
    await give_phone(transactions, stage.first, kind=kind, number="+15558675310")
    await stage.fire("Disk")
    await work()
    of = "MessageStatus" if kind is Channel.SMS else "CallStatus"
    name, labels = "incident_pages_failed_total", {"channel": kind.value}
    before = REGISTRY.get_sample_value(name, labels)

    await report(word, of=of)

    assert before is not None
    assert REGISTRY.get_sample_value(name, labels) == before + counted
