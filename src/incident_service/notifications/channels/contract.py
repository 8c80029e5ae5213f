"""What every channel is given, and how it answers."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from incident_service.core.sealing import SealBroken
from incident_service.notifications.message import OutgoingPage, one_line, shortened
from incident_service.observability.redaction import mask
from incident_service.teams.models import Channel

DETAIL_LENGTH = 300


class NotUsable(StrEnum):
    """Why nothing is sent to an address, in the words that its page has for it."""

    DELETED = "The contact method was deleted."
    SWITCHED_OFF = "The contact method is switched off."
    NOT_VERIFIED = "It is not verified whose contact method this is."
    NOT_ACTIVE = "The person is not active."
    SEALED = str(SealBroken.__doc__)

    @property
    def is_permanent(self) -> bool:
        """Say whether waiting is useless: the right key, in another process, opens what is sealed.

        What the others name was somebody's decision.
        """
        return self is not NotUsable.SEALED


@dataclass(frozen=True, slots=True)
class Address:
    """Where a page goes. The secret signs webhooks and is kept out of logs.

    One that is `not_usable` is given to no channel.
    """

    kind: Channel
    address: str
    signing_secret: str | None = field(default=None, repr=False)
    not_usable: NotUsable | None = None


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
