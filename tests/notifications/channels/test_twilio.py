"""Pages as text messages and calls. Twilio's answers are those of its documentation.

Source: https://www.twilio.com/docs/messaging/api/message-resource#create-a-message
Source: https://www.twilio.com/docs/voice/api/call-resource#create-a-call
Source: https://www.twilio.com/docs/usage/twilios-response
"""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl

import pytest
from tests.notifications.arrangements import PAGED, outgoing
from tests.notifications.channels.provider import Answer, Provider, provider

from incident_service.notifications.channels.contract import Address, DeliveryFailed
from incident_service.notifications.channels.twilio import SmsChannel, TwilioAccount, VoiceChannel
from incident_service.notifications.channels.twilio_callbacks import TwilioCallbacks
from incident_service.teams.models import Channel

ACCOUNT = "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
AUTH_TOKEN = "0123456789abcdef0123456789abcdef"
PHONE = Address(Channel.SMS, "+15558675310")
MESSAGE_SID = "SMaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
CALL_SID = "CAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

MESSAGE_TAKEN = Answer(
    201,
    json.dumps(
        {
            "account_sid": ACCOUNT,
            "api_version": "2010-04-01",
            "body": "…",
            "direction": "outbound-api",
            "error_code": None,
            "error_message": None,
            "from": "+15557122661",
            "num_segments": "1",
            "sid": MESSAGE_SID,
            "status": "queued",
            "to": "+15558675310",
            "uri": f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{MESSAGE_SID}.json",
        }
    ),
)
CALL_TAKEN = Answer(
    201,
    json.dumps(
        {
            "account_sid": ACCOUNT,
            "api_version": "2010-04-01",
            "direction": "outbound-api",
            "duration": None,
            "from": "+15557122661",
            "sid": CALL_SID,
            "status": "queued",
            "to": "+15558675310",
            "uri": f"/2010-04-01/Accounts/{ACCOUNT}/Calls/{CALL_SID}.json",
        }
    ),
)


def refused(status: int, code: int, message: str) -> Answer:
    more = f"https://www.twilio.com/docs/errors/{code}"
    return Answer(
        status,
        json.dumps({"code": code, "message": message, "more_info": more, "status": status}),
    )


@pytest.fixture
async def twilio() -> AsyncIterator[Provider]:
    async with provider(MESSAGE_TAKEN) as serving:
        yield serving


CALLBACKS = TwilioCallbacks("https://pages.example", AUTH_TOKEN)


def account(twilio: Provider, **more: Any) -> TwilioAccount:
    return TwilioAccount(
        server_url=twilio.url + "/",
        account_sid=ACCOUNT,
        auth_token=AUTH_TOKEN,
        from_number="+15557122661",
        **more,
    )


def sms(twilio: Provider) -> SmsChannel:
    return SmsChannel(twilio.outbound(), account(twilio))


async def test_a_message_is_made_in_the_name_of_the_account(twilio: Provider):
    await sms(twilio).send(outgoing(), PHONE)

    [asked] = twilio.asked
    basic = base64.b64encode(f"{ACCOUNT}:{AUTH_TOKEN}".encode()).decode()
    assert asked.path == f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    assert asked.headers["authorization"] == f"Basic {basic}"
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert asked.form.keys() == {"From", "To", "Body"}
    assert (asked.form["From"], asked.form["To"]) == ("+15557122661", "+15558675310")
    assert "#12 Disk of db1 is full" in asked.form["Body"]


async def test_a_call_is_made_that_says_the_page(twilio: Provider):
    twilio.answer = CALL_TAKEN

    detail = await VoiceChannel(twilio.outbound(), account(twilio)).send(outgoing(), PHONE)

    [asked] = twilio.asked
    assert detail == f"{CALL_SID} queued"
    assert asked.path == f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json"
    assert asked.form.keys() == {"From", "To", "Twiml"}
    assert PAGED.title in asked.form["Twiml"]


async def test_reports_about_a_message_are_asked_for(twilio: Provider):
    page = outgoing(attempt=3)

    await SmsChannel(twilio.outbound(), account(twilio, callbacks=CALLBACKS)).send(page, PHONE)

    [asked] = twilio.asked
    assert asked.form.keys() == {"From", "To", "Body", "StatusCallback"}
    url = f"https://pages.example/v1/callbacks/twilio/{page.id}/3"
    assert asked.form["StatusCallback"] == url


async def test_reports_about_every_turn_of_a_call_are_asked_for(twilio: Provider):
    twilio.answer = CALL_TAKEN
    page = outgoing()

    await VoiceChannel(twilio.outbound(), account(twilio, callbacks=CALLBACKS)).send(page, PHONE)

    [asked] = twilio.asked
    assert parse_qsl(asked.body.decode())[-6:] == [
        ("StatusCallback", f"https://pages.example/v1/callbacks/twilio/{page.id}/1"),
        ("StatusCallbackEvent", "initiated"),
        ("StatusCallbackEvent", "ringing"),
        ("StatusCallbackEvent", "answered"),
        ("StatusCallbackEvent", "completed"),
        ("StatusCallbackMethod", "POST"),
    ]


async def test_where_reports_cannot_go_the_message_is_sent_without_them(twilio: Provider):
    twilio.answers.append(refused(400, 21609, "Invalid 'StatusCallback' URL"))
    channel = SmsChannel(twilio.outbound(), account(twilio, callbacks=CALLBACKS))

    detail = await channel.send(outgoing(), PHONE)

    assert detail == f"{MESSAGE_SID} queued"
    assert ["StatusCallback" in asked.form for asked in twilio.asked] == [True, False]


async def test_the_detail_names_the_message(twilio: Provider):
    assert await sms(twilio).send(outgoing(), PHONE) == f"{MESSAGE_SID} queued"


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (400, 21211, "Invalid 'To' Phone Number: +1555867XXXX"),
        (400, 21610, "Attempt to send to unsubscribed recipient"),
        (401, 20003, "Authenticate"),
        (404, 20404, "The requested resource was not found"),
    ],
)
async def test_what_twilio_will_never_take_is_a_permanent_failure(
    twilio: Provider, status, code, message
):
    twilio.answer = refused(status, code, message)

    with pytest.raises(DeliveryFailed) as failure:
        await sms(twilio).send(outgoing(), PHONE)

    assert str(failure.value) == f"Twilio answered {status}: {message} (error {code})"
    assert failure.value.permanent


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (429, 20429, "Too Many Requests"),
        (400, 21611, "This 'From' number has exceeded the maximum number of queued messages"),
        (500, 20500, "Internal Server Error"),
        (503, 20503, "Service Unavailable"),
    ],
)
async def test_what_twilio_takes_later_is_tried_again(twilio: Provider, status, code, message):
    twilio.answer = refused(status, code, message)

    with pytest.raises(DeliveryFailed) as failure:
        await sms(twilio).send(outgoing(), PHONE)

    assert not failure.value.permanent


@pytest.mark.parametrize("body", ["", "<html>", "[1]", '{"code": [], "message": {}}'])
async def test_an_answer_that_cannot_be_read_is_a_failure_all_the_same(twilio: Provider, body):
    twilio.answer = Answer(502, body)

    with pytest.raises(DeliveryFailed, match="Twilio answered 502"):
        await sms(twilio).send(outgoing(), PHONE)


async def test_the_auth_token_is_never_shown(twilio: Provider):
    assert AUTH_TOKEN not in repr(account(twilio))
