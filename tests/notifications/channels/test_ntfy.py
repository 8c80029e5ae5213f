import json
from dataclasses import replace

import httpx
import pytest
from tests.notifications.arrangements import PAGED, outgoing

from incident_service.catalog.priority import Priority
from incident_service.core.outbound import Outbound
from incident_service.notifications.channels.contract import Address, DeliveryFailed
from incident_service.notifications.channels.ntfy import MESSAGE_BYTES, NtfyChannel
from incident_service.teams.models import Channel


async def public(host: str, port: int) -> list[str]:
    return ["93.184.216.34"]


class Server:
    """An ntfy server that takes everything."""

    def __init__(self) -> None:
        self.host = ""
        self.path = ""
        self.message: dict[str, object] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.host = request.headers["host"]
        self.path = request.url.path
        self.message = json.loads(request.content)
        return httpx.Response(200)

    def channel(self) -> NtfyChannel:
        outbound = Outbound(resolve=public, transport=httpx.MockTransport(self))
        return NtfyChannel(outbound, "https://ntfy.sh")


@pytest.mark.parametrize(
    ("address", "host", "path", "topic"),
    [
        ("on-call", "ntfy.sh", "/", "on-call"),
        ("https://push.example/on-call", "push.example", "/", "on-call"),
        ("https://push.example:8443/ntfy/on-call/", "push.example:8443", "/ntfy/", "on-call"),
    ],
)
async def test_a_topic_is_given_bare_or_as_a_url(address, host, path, topic):
    server = Server()

    await server.channel().send(outgoing(), Address(Channel.NTFY, address))

    assert (server.host, server.path, server.message["topic"]) == (host, path, topic)


async def test_a_url_without_a_topic_is_a_permanent_failure():
    with pytest.raises(DeliveryFailed) as failure:
        await Server().channel().send(outgoing(), Address(Channel.NTFY, "https://push.example/"))

    assert failure.value.permanent


async def test_a_message_opens_the_incident_and_needs_no_ascii():
    server = Server()
    page = outgoing(replace(PAGED, title="Überlauf auf db1 🔥"))

    await server.channel().send(page, Address(Channel.NTFY, "on-call"))

    assert server.message["title"] == "[CRITICAL] #12 Überlauf auf db1 🔥"
    assert server.message["click"] == PAGED.url


async def test_a_message_with_a_link_opens_it_and_never_acts_by_itself():
    server = Server()
    link = "https://incidents.example/a/x"

    await server.channel().send(outgoing(answer_url=link), Address(Channel.NTFY, "on-call"))

    assert server.message["click"] == link
    assert server.message["actions"] == [{"action": "view", "label": "Answer", "url": link}]


@pytest.mark.parametrize(("priority", "urgency"), list(zip(Priority, (5, 4, 3, 2, 1), strict=True)))
async def test_urgency_follows_the_priority(priority, urgency):
    server = Server()

    await server.channel().send(outgoing(priority=priority), Address(Channel.NTFY, "on-call"))

    assert server.message["priority"] == urgency


async def test_fifty_incidents_still_fit_a_phone():
    server = Server()
    page = outgoing(*(replace(PAGED, number=number, title="ä" * 90) for number in range(50)))

    await server.channel().send(page, Address(Channel.NTFY, "on-call"))

    message = str(server.message["message"])
    assert len(message.encode()) <= MESSAGE_BYTES
    assert message.endswith("…")
