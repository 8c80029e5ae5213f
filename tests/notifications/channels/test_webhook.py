import json
from datetime import timedelta

import httpx
import pytest
from standardwebhooks import Webhook
from tests.fakes import NOON
from tests.notifications.arrangements import outgoing

from incident_service.core.clock import utc_now
from incident_service.core.outbound import Outbound
from incident_service.notifications.channels.contract import Address, DeliveryFailed
from incident_service.notifications.channels.webhook import WebhookChannel
from incident_service.teams.models import Channel

SECRET = "whsec_c2lnbmVkIGluIGEgdGVzdCwgdHdlbnR5LWZvdXI="
HOOK = Address(Channel.WEBHOOK, "https://pager.example/hook", SECRET)


async def public(host: str, port: int) -> list[str]:
    return ["93.184.216.34"]


class Receiver:
    """Answers every request in the same way and remembers the last one."""

    def __init__(self, status: int = 200, *, headers: dict[str, str] | None = None, body: str = ""):
        self.answer = (status, headers or {}, body)
        self.last = httpx.Request("POST", "http://nothing.example")

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.last = request
        status, headers, body = self.answer
        return httpx.Response(status, headers=headers, text=body)

    def channel(self) -> WebhookChannel:
        return WebhookChannel(Outbound(resolve=public, transport=httpx.MockTransport(self)))


async def test_a_receiver_can_verify_who_sent_the_page_and_when():
    receiver = Receiver()
    page = outgoing(sent_at=utc_now())

    await receiver.channel().send(page, HOOK)

    verified = Webhook(SECRET).verify(receiver.last.content, dict(receiver.last.headers))
    assert verified["page_id"] == str(page.id)


async def test_the_id_of_the_webhook_is_the_pages_own_in_every_attempt():
    receiver = Receiver()
    page = outgoing()

    await receiver.channel().send(page, HOOK)

    assert receiver.last.headers["webhook-id"] == str(page.id)
    assert receiver.last.headers["webhook-timestamp"] == str(int(NOON.timestamp()))


async def test_without_a_secret_the_page_is_sent_unsigned():
    receiver = Receiver()

    detail = await receiver.channel().send(outgoing(), Address(Channel.WEBHOOK, HOOK.address))

    assert detail == "200"
    assert "webhook-signature" not in receiver.last.headers
    assert json.loads(receiver.last.content)["type"] == "page"


@pytest.mark.parametrize("secret", ["whsec_", "whsec_é", "whsec_a"])
async def test_a_secret_that_cannot_sign_is_a_permanent_failure(secret):
    with pytest.raises(DeliveryFailed) as failure:
        await Receiver().channel().send(outgoing(), Address(Channel.WEBHOOK, HOOK.address, secret))

    assert failure.value.permanent


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_any_2xx_means_that_the_receiver_has_it(status):
    assert await Receiver(status).channel().send(outgoing(), HOOK) == str(status)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
async def test_a_receiver_that_may_recover_is_tried_again(status):
    with pytest.raises(DeliveryFailed) as failure:
        await Receiver(status).channel().send(outgoing(), HOOK)

    assert not failure.value.permanent


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 403, 404, 410, 422])
async def test_a_receiver_that_will_not_have_it_is_not_asked_again(status):
    with pytest.raises(DeliveryFailed) as failure:
        await Receiver(status).channel().send(outgoing(), HOOK)

    assert failure.value.permanent


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("Mon, 02 Nov 2026 12:01:00 GMT", 60.0),
        ("Mon, 02 Nov 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("1e999", None),
        ("", None),
    ],
)
async def test_a_receiver_says_when_to_come_back_in_seconds_or_by_a_date(value, seconds):
    receiver = Receiver(429, headers={"retry-after": value})

    with pytest.raises(DeliveryFailed) as failure:
        await receiver.channel().send(outgoing(), HOOK)

    assert failure.value.retry_after_s == seconds


async def test_the_error_quotes_the_answer_in_a_form_that_can_be_stored():
    receiver = Receiver(400, body="no\x00 such\r\nroute " + "x" * 5000)

    with pytest.raises(DeliveryFailed) as failure:
        await receiver.channel().send(outgoing(), HOOK)

    assert str(failure.value).startswith("The receiver answered 400: no such route xxx")
    assert str(failure.value).isprintable()
    assert len(str(failure.value)) <= 300


async def test_a_private_address_is_a_permanent_failure_that_says_how_to_allow_it():
    channel = WebhookChannel(Outbound())

    with pytest.raises(DeliveryFailed, match="OUTBOUND_ALLOW") as failure:
        await channel.send(outgoing(), Address(Channel.WEBHOOK, "http://127.0.0.1:9/"))

    assert failure.value.permanent


async def test_a_network_failure_is_tried_again():
    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("reset")

    channel = WebhookChannel(Outbound(resolve=public, transport=httpx.MockTransport(broken)))

    with pytest.raises(DeliveryFailed) as failure:
        await channel.send(outgoing(sent_at=NOON + timedelta(hours=1)), HOOK)

    assert not failure.value.permanent
