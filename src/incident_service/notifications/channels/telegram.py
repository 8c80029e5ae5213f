"""Pages to Telegram, from a bot of the operator's."""

import json
from typing import Any
from urllib.parse import quote

from incident_service.core.outbound import Outbound
from incident_service.notifications.channels.contract import Address, DeliveryFailed
from incident_service.notifications.channels.posting import (
    exchange,
    failure,
    is_success,
    read_object,
)
from incident_service.notifications.message import OutgoingPage, subject
from incident_service.notifications.wording.fitted import in_units, text_within

# As Telegram counts: in units of UTF-16.
MESSAGE_UNITS = 4096
LONGEST_WISH_S = 86_400


class TelegramChannel:
    """Sends messages by a bot, whose token is part of the address that is called.

    The text is sent without `parse_mode`: what stands in an alert is text, whatever it looks like.

    Source: https://core.telegram.org/bots/api#sendmessage
    """

    def __init__(self, outbound: Outbound, server_url: str, bot_token: str) -> None:
        self._outbound = outbound
        self._url = f"{server_url.rstrip('/')}/bot{quote(bot_token, safe=':')}/sendMessage"

    async def send(self, page: OutgoingPage, to: Address) -> str:
        """Send the page and return the message's id; see `ChannelSender.send`."""
        answer = await exchange(
            self._outbound,
            self._url,
            content=as_message(page, to.address),
            headers={"content-type": "application/json"},
        )
        body = read_object(answer)
        if is_success(answer) and body.get("ok") is True:
            return f"message_id {message_id(body)}"
        if is_success(answer):  # not Telegram: it would have said that it is ok
            raise DeliveryFailed("The answer is not one of Telegram's Bot API.")
        raise failure(
            answer,
            page.sent_at,
            said=str(body.get("description", "")),
            more=moved(body),
            by="Telegram",
            wish_s=retry_after_s(body),
        )


def as_message(page: OutgoingPage, chat: str) -> bytes:
    """Return the body of `sendMessage`; the links in it are not fetched for a preview."""
    message = {
        "chat_id": chat,
        "text": text_within(MESSAGE_UNITS, in_units, page, f"{subject(page)}\n\n"),
        "link_preview_options": {"is_disabled": True},
    }
    return json.dumps(message).encode()


def moved(body: dict[str, Any]) -> str:
    """Say where a chat has moved to, if it has."""
    moved_to = whole_number(parameters(body).get("migrate_to_chat_id"))
    return "" if moved_to is None else f"(the chat's id is now {moved_to})"


def message_id(body: dict[str, Any]) -> str:
    """Return the id of the message that was sent."""
    result = body.get("result")
    found = whole_number(result.get("message_id")) if isinstance(result, dict) else None
    return "unknown" if found is None else str(found)


def retry_after_s(body: dict[str, Any]) -> float | None:
    """Return how long Telegram asks to wait."""
    wish = whole_number(parameters(body).get("retry_after"))
    return None if wish is None else float(min(max(wish, 0), LONGEST_WISH_S))


def parameters(body: dict[str, Any]) -> dict[str, Any]:
    """Return what Telegram says of an error beside its words.

    Source: https://core.telegram.org/bots/api#responseparameters
    """
    found = body.get("parameters")
    return found if isinstance(found, dict) else {}


def whole_number(value: object) -> int | None:
    """Return what JSON has there if it is a whole number."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None
