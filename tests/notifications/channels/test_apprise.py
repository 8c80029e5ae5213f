"""Pages by Apprise: the library itself, sending to a real server by its own HTTP client."""

import logging
from collections.abc import AsyncIterator

import pytest
from tests.notifications.arrangements import outgoing
from tests.notifications.channels.provider import Answer, Provider, provider

from incident_service.notifications.channels.apprise import AppriseChannel, can_be_used
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
