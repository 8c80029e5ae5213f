"""Pages to ntfy. Its answers are those of its documentation and of its server.

Source: https://docs.ntfy.sh/publish/#publish-as-json,
https://docs.ntfy.sh/subscribe/api/#json-message-format,
https://github.com/binwiederhier/ntfy/blob/main/server/errors.go
"""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from tests.notifications.arrangements import PAGED, outgoing
from tests.notifications.channels.provider import Answer, Provider, provider

from incident_service.catalog.priority import Priority
from incident_service.notifications.channels.contract import Address, DeliveryFailed
from incident_service.notifications.channels.ntfy import MESSAGE_BYTES, NtfyChannel
from incident_service.notifications.message import OutgoingPage
from incident_service.teams.models import Channel

TOPIC = Address(Channel.NTFY, "on-call")
ID = "wze9zgqK41"
LIMITATIONS = "https://ntfy.sh/docs/publish/#limitations"
# What the server makes of a field; others it ignores.
FIELDS = {"topic", "title", "message", "priority", "click", "actions", "tags"}
TOPIC_PATTERN = re.compile(r"^[-_A-Za-z0-9]{1,64}$")


def taken(**message: Any) -> Answer:
    made = {"id": ID, "time": 1793620800, "expires": 1793664000, "event": "message"}
    said = {"topic": "on-call", "message": "Remote access detected. Act right away."}
    kind = {"content-type": "application/json"}
    return Answer(200, json.dumps(made | said | message) + "\n", kind)


def refused(http: int, code: int, error: str, link: str = "") -> Answer:
    body: dict[str, Any] = {"code": code, "http": http, "error": error}
    kind = {"content-type": "application/json"}
    return Answer(http, json.dumps(body | ({"link": link} if link else {})) + "\n", kind)


@pytest.fixture
async def ntfy() -> AsyncIterator[Provider]:
    async with provider(taken()) as serving:
        yield serving


async def send(ntfy: Provider, page: OutgoingPage | None = None, to: Address = TOPIC) -> str:
    return await NtfyChannel(ntfy.outbound(), ntfy.url).send(page or outgoing(), to)


async def fails(ntfy: Provider, answer: Answer) -> DeliveryFailed:
    ntfy.answer = answer
    with pytest.raises(DeliveryFailed) as failure:
        await send(ntfy)
    return failure.value


async def test_a_page_is_published_as_json_to_the_servers_root(ntfy: Provider):
    await send(ntfy)

    [asked] = ntfy.asked
    assert asked.path == "/"
    assert asked.headers["content-type"] == "application/json"
    assert asked.json["topic"] == "on-call"
    assert "3 % left on /var" in asked.json["message"]


async def test_the_detail_names_the_message(ntfy: Provider):
    assert await send(ntfy) == f"id {ID}"


@pytest.mark.parametrize(
    ("address", "path", "topic"),
    [
        ("{url}/on-call", "/", "on-call"),
        ("{url}/ntfy/on-call/", "/ntfy/", "on-call"),
        ("{url}/UPPER_lower-9?x=1", "/", "UPPER_lower-9"),
    ],
)
async def test_a_topic_of_another_server_is_given_as_a_url(ntfy: Provider, address, path, topic):
    elsewhere = NtfyChannel(ntfy.outbound(), "http://127.0.0.1:9")

    await elsewhere.send(outgoing(), Address(Channel.NTFY, address.format(url=ntfy.url)))

    [asked] = ntfy.asked
    assert (asked.path, asked.json["topic"]) == (path, topic)
    assert f"http://{asked.headers['host']}" == ntfy.url


async def test_a_server_below_a_path_is_published_to_below_it(ntfy: Provider):
    await NtfyChannel(ntfy.outbound(), f"{ntfy.url}/push/").send(outgoing(), TOPIC)

    assert ntfy.asked[0].path == "/push/"


async def test_a_url_without_a_topic_is_a_permanent_failure(ntfy: Provider):
    with pytest.raises(DeliveryFailed) as failure:
        await send(ntfy, to=Address(Channel.NTFY, f"{ntfy.url}/"))

    assert failure.value.permanent
    assert ntfy.asked == []


async def test_a_message_opens_the_incident_and_needs_no_ascii(ntfy: Provider):
    await send(ntfy, outgoing(replace(PAGED, title="Überlauf auf db1 🔥")))

    message = ntfy.asked[0].json
    assert message["title"] == "[CRITICAL] #12 Überlauf auf db1 🔥"
    assert message["click"] == PAGED.url


async def test_a_message_with_a_link_opens_it_and_never_acts_by_itself(ntfy: Provider):
    link = "https://incidents.example/a/x"

    await send(ntfy, outgoing(answer_url=link))

    message = ntfy.asked[0].json
    assert message["click"] == link
    assert message["actions"] == [{"action": "view", "label": "Answer", "url": link}]


async def test_a_note_is_said_and_leads_nowhere(ntfy: Provider):
    await send(ntfy, outgoing(incidents=(), note="Your code is K7MPQ2XA.", priority=Priority.INFO))

    message = ntfy.asked[0].json
    assert message["message"] == "Your code is K7MPQ2XA.\n"
    assert "click" not in message
    assert message["actions"] == []


@pytest.mark.parametrize(("priority", "urgency"), list(zip(Priority, (5, 4, 3, 2, 1), strict=True)))
async def test_urgency_follows_the_priority(ntfy: Provider, priority, urgency):
    await send(ntfy, outgoing(priority=priority))

    assert ntfy.asked[0].json["priority"] == urgency


async def test_fifty_incidents_still_fit_a_phone(ntfy: Provider):
    page = outgoing(*(replace(PAGED, number=number, title="ä" * 90) for number in range(50)))

    await send(ntfy, page)

    message = ntfy.asked[0].json["message"]
    assert len(message.encode()) <= MESSAGE_BYTES
    assert "\n\n… and " in message


async def test_the_server_knows_every_field(ntfy: Provider):
    await send(ntfy, outgoing(answer_url="https://incidents.example/a/x"))

    message = ntfy.asked[0].json
    assert set(message) == FIELDS
    assert TOPIC_PATTERN.match(message["topic"])
    assert message["priority"] in range(1, 6)
    assert len(message["actions"]) <= 3
    assert all(isinstance(tag, str) for tag in message["tags"])


@pytest.mark.parametrize(
    ("http", "code", "error"),
    [
        (400, 40009, "invalid request: topic invalid"),
        (400, 40010, "invalid request: topic name is not allowed"),
        (400, 40017, "invalid request: request body must be message JSON"),
        (400, 40018, "invalid request: actions invalid"),
        (401, 40101, "unauthorized"),
        (403, 40301, "forbidden"),
        (404, 40401, "page not found"),
        (413, 41303, "JSON body too large"),
    ],
)
async def test_what_ntfy_will_never_take_is_a_permanent_failure(ntfy: Provider, http, code, error):
    failure = await fails(ntfy, refused(http, code, error))

    assert failure.permanent
    assert str(failure) == f"ntfy answered {http}: {error}"


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (42901, "limit reached: too many requests"),
        (42908, "limit reached: daily message quota reached"),
        (42909, "limit reached: too many auth failures"),
    ],
)
async def test_too_many_messages_are_tried_again_with_pauses_of_our_own(
    ntfy: Provider, code, error
):
    failure = await fails(ntfy, refused(429, code, error, LIMITATIONS))

    assert not failure.permanent
    assert failure.retry_after_s is None
    assert str(failure) == f"ntfy answered 429: {error}"


async def test_a_proxy_in_front_of_it_may_say_when_to_come_back(ntfy: Provider):
    failure = await fails(ntfy, Answer(429, "<html>slow down</html>", {"retry-after": "30"}))

    assert (failure.permanent, failure.retry_after_s) == (False, 30)
    assert str(failure) == "ntfy answered 429: <html>slow down</html>"


@pytest.mark.parametrize(
    "answer",
    [
        refused(500, 50001, "internal server error"),
        refused(
            507, 50701, "cannot publish to UnifiedPush topic without previously active subscriber"
        ),
        Answer(502, "<html>Bad gateway</html>"),
        Answer(503, ""),
    ],
    ids=lambda answer: str(answer.status),
)
async def test_a_failure_of_its_own_is_tried_again(ntfy: Provider, answer):
    assert not (await fails(ntfy, answer)).permanent


@pytest.mark.parametrize(
    "answer",
    [Answer(200, "<html>Welcome</html>"), Answer(200, "[]"), Answer(204, ""), Answer(200, "{}")],
    ids=lambda answer: answer.body or "nothing",
)
async def test_a_page_that_is_no_ntfy_server_has_told_nobody(ntfy: Provider, answer):
    failure = await fails(ntfy, answer)

    assert not failure.permanent
    assert str(failure) == "The answer is not one of an ntfy server."
