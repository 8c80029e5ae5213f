"""Pages to Slack. Its answers are those of its documentation.

Source: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors
"""

from collections.abc import AsyncIterator

import pytest
from tests.notifications.arrangements import PAGED, outgoing
from tests.notifications.channels.provider import Answer, Provider, provider

from incident_service.notifications.channels.contract import Address, DeliveryFailed
from incident_service.notifications.channels.slack import SlackChannel
from incident_service.teams.models import Channel

PATH = "/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX"
TAKEN = Answer(200, "ok")


@pytest.fixture
async def slack() -> AsyncIterator[Provider]:
    async with provider(TAKEN) as serving:
        yield serving


async def send(slack: Provider) -> str:
    channel = SlackChannel(slack.outbound())
    return await channel.send(outgoing(), Address(Channel.SLACK, slack.url + PATH))


async def test_a_page_is_posted_to_the_incoming_webhook(slack: Provider):
    detail = await send(slack)

    [asked] = slack.asked
    assert detail == "200"
    assert asked.path == PATH
    assert asked.headers["content-type"] == "application/json"
    assert asked.json["text"].startswith("[CRITICAL] #12 Disk of db1 is full\n")
    assert PAGED.url in asked.json["text"]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, "invalid_payload"),
        (400, "user_not_found"),
        (403, "action_prohibited"),
        (403, "invalid_token"),
        (404, "channel_not_found"),
        (404, "no_service"),
        (410, "channel_is_archived"),
    ],
)
async def test_what_slack_will_never_take_is_a_permanent_failure(slack: Provider, status, said):
    slack.answer = Answer(status, said)

    with pytest.raises(DeliveryFailed, match=f"Slack answered {status}: {said}") as failure:
        await send(slack)

    assert failure.value.permanent


async def test_too_many_messages_are_tried_again_when_slack_says(slack: Provider):
    slack.answer = Answer(429, "rate_limited", {"retry-after": "30"})

    with pytest.raises(DeliveryFailed) as failure:
        await send(slack)

    assert not failure.value.permanent
    assert failure.value.retry_after_s == 30


async def test_a_failure_of_slacks_own_is_tried_again(slack: Provider):
    slack.answer = Answer(500, "rollup_error")

    with pytest.raises(DeliveryFailed) as failure:
        await send(slack)

    assert not failure.value.permanent


@pytest.mark.parametrize("status", [404, 502])
async def test_an_answer_that_repeats_the_address_is_not_shown(slack: Provider, status):
    slack.answer = Answer(status, f"<h1>Nothing at {slack.url}{PATH}</h1>")

    with pytest.raises(DeliveryFailed) as failure:
        await send(slack)

    assert str(failure.value) == f"Slack answered {status}."


async def test_an_address_that_is_away_is_not_shown():
    channel = SlackChannel(Provider("", TAKEN).outbound())

    with pytest.raises(DeliveryFailed) as failure:
        await channel.send(outgoing(), Address(Channel.SLACK, "http://127.0.0.1:1" + PATH))

    assert "XXXX" not in str(failure.value)
    assert not failure.value.permanent
