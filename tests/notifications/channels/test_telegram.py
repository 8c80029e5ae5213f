"""Pages to Telegram. Its answers are those of its documentation.

Source: https://core.telegram.org/bots/api#making-requests
"""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from tests.notifications.arrangements import PAGED, outgoing
from tests.notifications.channels.provider import Answer, Provider, provider

from incident_service.notifications.channels.contract import Address, DeliveryFailed
from incident_service.notifications.channels.telegram import (
    MESSAGE_UNITS,
    TelegramChannel,
)
from incident_service.teams.models import Channel

TOKEN = "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11"
CHAT = Address(Channel.TELEGRAM, "-1001234567890")


def taken(**result: Any) -> Answer:
    chat = {"id": -1001234567890, "title": "On call", "type": "supergroup"}
    message = {"message_id": 42, "date": 1793620800, "chat": chat, "text": "…"}
    return Answer(200, json.dumps({"ok": True, "result": message | result}))


def refused(code: int, description: str, **parameters: int) -> Answer:
    body: dict[str, Any] = {"ok": False, "error_code": code, "description": description}
    return Answer(code, json.dumps(body | ({"parameters": parameters} if parameters else {})))


@pytest.fixture
async def telegram() -> AsyncIterator[Provider]:
    async with provider(taken()) as serving:
        yield serving


def channel(telegram: Provider) -> TelegramChannel:
    return TelegramChannel(telegram.outbound(), telegram.url + "/", TOKEN)


async def test_the_bot_sends_the_page_as_plain_text(telegram: Provider):
    await channel(telegram).send(outgoing(), CHAT)

    [asked] = telegram.asked
    assert asked.path == f"/bot{TOKEN}/sendMessage"
    assert asked.json["chat_id"] == "-1001234567890"
    assert "3 % left on /var" in asked.json["text"]
    assert "parse_mode" not in asked.json
    assert asked.json["link_preview_options"] == {"is_disabled": True}


async def test_the_detail_names_the_message(telegram: Provider):
    assert await channel(telegram).send(outgoing(), CHAT) == "message_id 42"


@pytest.mark.parametrize(
    ("code", "description"),
    [
        (400, "Bad Request: chat not found"),
        (401, "Unauthorized"),
        (403, "Forbidden: bot was blocked by the user"),
        (404, "Not Found"),
    ],
)
async def test_what_telegram_will_never_take_is_a_permanent_failure(
    telegram: Provider, code, description
):
    telegram.answer = refused(code, description)

    with pytest.raises(DeliveryFailed, match=f"Telegram answered {code}: {description}") as failure:
        await channel(telegram).send(outgoing(), CHAT)

    assert failure.value.permanent


async def test_too_many_messages_are_tried_again_when_telegram_says(telegram: Provider):
    telegram.answer = refused(429, "Too Many Requests: retry after 17", retry_after=17)

    with pytest.raises(DeliveryFailed) as failure:
        await channel(telegram).send(outgoing(), CHAT)

    assert not failure.value.permanent
    assert failure.value.retry_after_s == 17


async def test_a_group_that_moved_is_named(telegram: Provider):
    telegram.answer = refused(
        400,
        "Bad Request: group chat was upgraded to a supergroup chat",
        migrate_to_chat_id=-1009876543210,
    )

    with pytest.raises(DeliveryFailed, match="the chat's id is now -1009876543210") as failure:
        await channel(telegram).send(outgoing(), CHAT)

    assert failure.value.permanent


async def test_a_failure_of_telegrams_own_is_tried_again(telegram: Provider):
    telegram.answer = Answer(502, "<html>Bad Gateway</html>")

    with pytest.raises(DeliveryFailed) as failure:
        await channel(telegram).send(outgoing(), CHAT)

    assert not failure.value.permanent


@pytest.mark.parametrize("body", ["", "<html>sign in</html>", "[]", '{"ok": false}', "[" * 60_000])
async def test_a_success_that_is_not_telegrams_is_none(telegram: Provider, body):
    telegram.answer = Answer(200, body)

    with pytest.raises(DeliveryFailed) as failure:
        await channel(telegram).send(outgoing(), CHAT)

    assert not failure.value.permanent


@pytest.mark.parametrize("status", [400, 500])
async def test_the_token_is_never_shown(telegram: Provider, status):
    telegram.answer = Answer(status, refused(status, f"no /bot{TOKEN}/sendMessage").body)

    with pytest.raises(DeliveryFailed) as failure:
        await channel(telegram).send(outgoing(), CHAT)

    assert TOKEN not in str(failure.value)
    assert "ABC-DEF" not in str(failure.value)


async def test_fifty_incidents_fit_a_message(telegram: Provider):
    page = outgoing(*(replace(PAGED, number=number, title="🔥" * 90) for number in range(50)))

    await channel(telegram).send(page, CHAT)

    said = telegram.asked[0].json["text"]
    assert len(said.encode("utf-16-le")) // 2 <= MESSAGE_UNITS
    assert "\n\n… and " in said
