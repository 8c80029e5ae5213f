"""Pages as ntfy messages."""

import json
from urllib.parse import urlsplit, urlunsplit

from incident_service.catalog.priority import Priority
from incident_service.core.outbound import Outbound
from incident_service.notifications.channels.contract import Address, DeliveryFailed
from incident_service.notifications.channels.posting import (
    exchange,
    failure,
    is_success,
    read_object,
)
from incident_service.notifications.message import OutgoingPage, subject
from incident_service.notifications.wording.fitted import in_bytes, text_within

# ntfy turns a longer message into an attachment, which a phone does not show (limit: 4096 bytes).
MESSAGE_BYTES = 3800
URGENCY = {
    Priority.CRITICAL: 5,
    Priority.HIGH: 4,
    Priority.MEDIUM: 3,
    Priority.LOW: 2,
    Priority.INFO: 1,
}


class NtfyChannel:
    """Publishes to a topic, which is given bare or as a URL; a bare one lives at `server_url`.

    JSON to the server's root, instead of headers to the topic: titles need not be ASCII then.

    It answers with the message, or with an error in words. Its 429 does not say when to come back.

    Source: https://docs.ntfy.sh/publish/#publish-as-json,
    https://docs.ntfy.sh/subscribe/api/#json-message-format
    """

    def __init__(self, outbound: Outbound, server_url: str) -> None:
        self._outbound = outbound
        self._server_url = server_url

    async def send(self, page: OutgoingPage, to: Address) -> str:
        """Publish the page and return the message's id; see `ChannelSender.send`."""
        server_url, topic = place(to.address, self._server_url)
        message = {
            "topic": topic,
            "title": subject(page),
            "message": text_within(MESSAGE_BYTES, in_bytes, page),
            "priority": URGENCY[page.priority],
            **clicked(page),
            "actions": actions(page),
            "tags": ["rotating_light" if page.priority is Priority.CRITICAL else "warning"],
        }
        answer = await exchange(
            self._outbound,
            server_url,
            content=json.dumps(message).encode(),
            headers={"content-type": "application/json"},
        )
        body = read_object(answer)
        if is_success(answer) and body.get("id"):
            return f"id {body['id']}"
        if is_success(answer):  # another page at this address: nobody was told
            raise DeliveryFailed("The answer is not one of an ntfy server.")
        said = str(body.get("error") or answer.body_excerpt)
        raise failure(answer, page.sent_at, said=said, by="ntfy")


def clicked(page: OutgoingPage) -> dict[str, str]:
    """Return where a tap on the message leads; a note leads nowhere."""
    url = page.answer_url or next((incident.url for incident in page.incidents), None)
    return {"click": url} if url else {}


def actions(page: OutgoingPage) -> list[dict[str, str]]:
    """Return the button that opens the page's link.

    It is a `view`, never an `http` action: that one would answer without a look.

    Source: https://docs.ntfy.sh/publish/#action-buttons
    """
    if page.answer_url is None:
        return []
    return [{"action": "view", "label": "Answer", "url": page.answer_url}]


def place(address: str, server_url: str) -> tuple[str, str]:
    """Return the server's root and the topic.

    Raises:
        DeliveryFailed: the address is a URL without a topic.
    """
    if "://" not in address:
        return server_url.rstrip("/") + "/", address
    parts = urlsplit(address)
    root, _, topic = parts.path.rstrip("/").rpartition("/")
    if not topic:
        raise DeliveryFailed("The ntfy address names no topic.", permanent=True)
    return urlunsplit((parts.scheme, parts.netloc, f"{root}/", "", "")), topic
