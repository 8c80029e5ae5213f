"""Pages by Apprise: the library itself, sending to a real server by its own HTTP client."""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from tests.notifications.arrangements import outgoing
from tests.notifications.channels.provider import Answer, Provider, provider

from incident_service.core.stopping import stops_within
from incident_service.notifications.channels.apprise import (
    THREADS_A_URL,
    AppriseChannel,
    can_be_used,
)
from incident_service.notifications.channels.contract import Address, DeliveryFailed
from incident_service.observability.logging import TALKATIVE
from incident_service.teams.models import Channel

OPS = Address(Channel.APPRISE, "ops")


@pytest.fixture
async def service() -> AsyncIterator[Provider]:
    async with provider(Answer(200, "")) as serving:
        yield serving


def channel(service: Provider) -> AppriseChannel:
    """Apprise posts JSON to `json://…`; any of its other services would do."""
    return AppriseChannel({"ops": service.url.replace("http://", "json://me:hidden@") + "/in"})


async def test_apprise_sends_the_page_to_the_url_of_that_name(service: Provider):
    detail = await channel(service).send(outgoing(), OPS)

    [asked] = service.asked
    assert detail == "sent"
    assert asked.path == "/in"
    assert asked.json["title"] == "[CRITICAL] #12 Disk of db1 is full"
    assert "3 % left on /var" in asked.json["message"]


async def test_what_apprise_could_not_send_is_tried_again(service: Provider):
    service.answer = Answer(503, "")

    with pytest.raises(DeliveryFailed) as failure:
        await channel(service).send(outgoing(), OPS)

    assert str(failure.value) == "Apprise could not send it."
    assert not failure.value.permanent


@pytest.mark.parametrize("name", ["other", "json://127.0.0.1", ""])
async def test_a_name_that_the_operator_did_not_set_is_a_permanent_failure(service: Provider, name):
    with pytest.raises(DeliveryFailed, match="INCIDENT_SERVICE_APPRISE_URLS") as failure:
        await channel(service).send(outgoing(), Address(Channel.APPRISE, name))

    assert failure.value.permanent
    assert service.asked == []


@pytest.mark.parametrize("url", ["unheard-of://secret", "slack://secret"])
async def test_a_url_that_apprise_cannot_use_is_a_permanent_failure(url):
    with pytest.raises(DeliveryFailed, match="INCIDENT_SERVICE_APPRISE_URLS") as failure:
        await AppriseChannel({"ops": url}).send(outgoing(), OPS)

    assert failure.value.permanent
    assert "secret" not in str(failure.value)


@pytest.mark.parametrize(
    ("url", "usable"),
    [("json://host/in", True), ("unheard-of://x", False), ("slack://x", False), ("", False)],
)
def test_doctor_can_ask_whether_a_url_can_be_used(url, usable):
    assert can_be_used(url) is usable


async def test_with_its_loggers_silent_nothing_of_an_address_is_logged(service: Provider, caplog):
    caplog.set_level(logging.DEBUG)
    for talkative in TALKATIVE:
        caplog.set_level(logging.CRITICAL, talkative)

    await channel(service).send(outgoing(), OPS)
    service.answer = Answer(500, "")
    with pytest.raises(DeliveryFailed):
        await channel(service).send(outgoing(), OPS)

    assert "hidden" not in caplog.text
    assert "/in" not in caplog.text


@dataclass
class Dripping:
    """A service that begins an answer and never ends it: one byte after the other."""

    url: str = ""
    asked: int = 0
    ending: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        async with self.changed:
            self.asked += 1
            self.changed.notify_all()
        try:
            writer.write(b"HTTP/1.1 200 OK\r\nX-Drip: ")
            while not await stops_within(self.ending, 0.05):
                writer.write(b".")
                await writer.drain()
        except ConnectionError:
            pass
        writer.close()

    async def has_been_asked(self, times: int) -> None:
        async with asyncio.timeout(20), self.changed:
            await self.changed.wait_for(lambda: self.asked >= times)


@asynccontextmanager
async def dripping() -> AsyncIterator[Dripping]:
    service = Dripping()
    server = await asyncio.start_server(service.accept, "127.0.0.1", 0)
    service.url = f"json://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    try:
        yield service
    finally:
        service.ending.set()
        server.close()


async def test_a_service_that_drips_bytes_holds_up_no_other(service: Provider):
    async with dripping() as slow:
        urls = {"slow": slow.url, "ops": service.url.replace("http://", "json://")}
        channel, address = AppriseChannel(urls), Address(Channel.APPRISE, "slow")
        stuck = [
            asyncio.create_task(channel.send(outgoing(), address)) for _ in range(THREADS_A_URL + 3)
        ]
        await slow.has_been_asked(THREADS_A_URL)

        detail = await channel.send(outgoing(), OPS)

        for task in stuck:
            task.cancel()
        await asyncio.gather(*stuck, return_exceptions=True)

    assert detail == "sent"
    assert slow.asked == THREADS_A_URL


async def test_a_service_that_drips_bytes_is_given_up_and_has_no_more_threads_than_its_own():
    async with dripping() as slow:
        channel = AppriseChannel({"ops": slow.url}, patience_s=0.5)

        async def gives_up() -> None:
            with pytest.raises(DeliveryFailed, match="did not come to an end") as failure:
                await channel.send(outgoing(), OPS)
            assert not failure.value.permanent

        for _ in range(2):
            await asyncio.gather(*(gives_up() for _ in range(THREADS_A_URL)))

    assert slow.asked <= THREADS_A_URL


async def test_its_threads_come_back_when_the_service_lets_go_of_them():
    async with dripping() as slow:
        channel = AppriseChannel({"ops": slow.url})
        sending = [
            asyncio.create_task(channel.send(outgoing(), OPS)) for _ in range(2 * THREADS_A_URL)
        ]
        await slow.has_been_asked(THREADS_A_URL)
        slow.ending.set()
        await slow.has_been_asked(2 * THREADS_A_URL)
        endings = await asyncio.gather(*sending)

    assert endings == ["sent"] * 2 * THREADS_A_URL


PROCESS = """
import asyncio, sys
from tests.notifications.arrangements import outgoing
from incident_service.notifications.channels.apprise import AppriseChannel
from incident_service.notifications.channels.contract import Address, DeliveryFailed
from incident_service.teams.models import Channel

async def main():
    channel = AppriseChannel({"ops": sys.argv[1]}, patience_s=1)
    try:
        await channel.send(outgoing(), Address(Channel.APPRISE, "ops"))
    except DeliveryFailed as failure:
        print(failure)

asyncio.run(main())
"""


async def test_a_process_ends_while_a_service_drips_bytes():
    async with dripping() as slow:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", PROCESS, slow.url), stdout=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(30):
            said, _ = await process.communicate()

    assert slow.asked == 1
    assert said == b"Apprise did not come to an end within 1 s.\n"
