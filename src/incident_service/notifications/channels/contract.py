"""What every channel is given, and how it answers."""

from dataclasses import dataclass, field
from typing import Protocol

from incident_service.notifications.message import OutgoingPage, one_line, shortened
from incident_service.observability.redaction import mask
from incident_service.teams.models import Channel

DETAIL_LENGTH = 300


@dataclass(frozen=True, slots=True)
class Address:
    """Where a page goes. The secret signs webhooks and is kept out of logs."""

    kind: Channel
    address: str
    signing_secret: str | None = field(default=None, repr=False)
    is_enabled: bool = True


class DeliveryFailed(Exception):
    """A page did not get through; the message may be shown to people and stored.

    `permanent` means that trying again would not help. `retry_after_s` is the receiver's own wish.
    """

    def __init__(
        self, message: str, *, permanent: bool = False, retry_after_s: float | None = None
    ) -> None:
        # A receiver may repeat in its answer what it was sent, with the link in it.
        super().__init__(shortened(mask(one_line(message)), DETAIL_LENGTH))
        self.permanent = permanent
        self.retry_after_s = retry_after_s


class ChannelSender(Protocol):
    """One way to reach people."""

    async def send(self, page: OutgoingPage, to: Address) -> str:
        """Hand the page over and return a short detail of the answer, such as `200`.

        Raises:
            DeliveryFailed: it did not get through, as far as we know.
        """
