"""Pages to Slack, by incoming webhooks."""

import re

from incident_service.core.outbound import Answer, Outbound
from incident_service.notifications.channels.contract import Address
from incident_service.notifications.channels.posting import exchange, failure, is_success
from incident_service.notifications.message import OutgoingPage
from incident_service.notifications.wording import slack

# `invalid_payload`, `no_service`, `channel_is_archived` …: anything else could repeat the address.
ERROR = re.compile(r"[a-z]+(?:_[a-z]+){1,7}")


class SlackChannel:
    """Posts to the URL of an incoming webhook: all of it is a secret, none of it is shown.

    Mattermost and others take the same message at an address of their own.

    Source: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
    """

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound

    async def send(self, page: OutgoingPage, to: Address) -> str:
        """Post the page; see `ChannelSender.send`. Slack gives messages no id here."""
        answer = await exchange(
            self._outbound,
            to.address,
            content=slack.as_message(page),
            headers={"content-type": "application/json"},
        )
        if is_success(answer):
            return str(answer.status)
        raise failure(answer, page.sent_at, said=error_code(answer), by="Slack")


def error_code(answer: Answer) -> str:
    """Return the word that says what is wrong; an empty text when there is none."""
    said = answer.body_excerpt.strip()
    return said if ERROR.fullmatch(said) else ""
