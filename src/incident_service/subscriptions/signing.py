"""Make the headers of a webhook, by the Standard Webhooks convention. Pure.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import math
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from standardwebhooks import Webhook


def headers(
    delivery_id: UUID, body: str, secrets: Sequence[str], sent_at: datetime
) -> dict[str, str]:
    """Return the headers of one attempt: one signature for each secret, parted by spaces.

    A receiver that knows any of them finds its own.
    """
    id_ = str(delivery_id)
    return {
        "content-type": "application/json",
        "user-agent": "incident-service",
        "webhook-id": id_,
        "webhook-timestamp": str(math.floor(sent_at.timestamp())),
        "webhook-signature": " ".join(Webhook(each).sign(id_, sent_at, body) for each in secrets),
    }
