"""Pages as signed webhooks."""

import math
from typing import Final

from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError

from incident_service.core.outbound import Outbound
from incident_service.notifications.channels.contract import Address, DeliveryFailed
from incident_service.notifications.channels.posting import post
from incident_service.notifications.message import OutgoingPage, as_json

USER_AGENT: Final = "incident-service"


class WebhookChannel:
    """Posts a page as JSON, signed by the Standard Webhooks convention.

    `webhook-id` is the page's id, the same for every attempt: receivers drop what they know.

    Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound

    async def send(self, page: OutgoingPage, to: Address) -> str:
        """Post the page; see `ChannelSender.send`."""
        body = as_json(page)
        headers = {
            "content-type": "application/json",
            "user-agent": USER_AGENT,
            "webhook-id": str(page.id),
            "webhook-timestamp": str(math.floor(page.sent_at.timestamp())),
        }
        if to.signing_secret:
            headers["webhook-signature"] = signature(page, to.signing_secret, body)
        return await post(
            self._outbound, to.address, content=body, headers=headers, at=page.sent_at
        )


def signature(page: OutgoingPage, secret: str, body: bytes) -> str:
    """Sign the body for this attempt.

    Raises:
        DeliveryFailed: the secret is none.
    """
    try:
        return Webhook(secret).sign(str(page.id), page.sent_at, body.decode())
    except (ValueError, EmptyWebhookSecretError) as error:
        raise DeliveryFailed("The signing secret cannot be used.", permanent=True) from error
