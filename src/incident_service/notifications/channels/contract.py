"""What every channel is given, and how it answers."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from incident_service.core.sealing import SealBroken
from incident_service.notifications.discretion import Hide, excerpt
from incident_service.notifications.message import OutgoingPage, one_line
from incident_service.teams.models import Channel

DETAIL_LENGTH = 300
EXCERPT_LENGTH = 120


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
    """A page did not get through; its text may be shown to people and stored.

    `said` are a provider's own words, of which the beginning is shown, and `more` is what is said
    after them. Each is given whole: it is masked before it is cut.

    `permanent` means that trying again would not help. `retry_after_s` is the receiver's own wish.
    """

    def __init__(
        self,
        message: str,
        *,
        said: str = "",
        more: str = "",
        permanent: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(worded(message, said, more))
        self._parts = (message, said, more)
        self.permanent = permanent
        self.retry_after_s = retry_after_s

    def hiding(self, hide: Hide) -> "DeliveryFailed":
        """Return the same failure without what `hide` hides."""
        message, said, more = (hide(one_line(part)) for part in self._parts)
        return DeliveryFailed(
            message,
            said=said,
            more=more,
            permanent=self.permanent,
            retry_after_s=self.retry_after_s,
        )


def worded(message: str, said: str, more: str) -> str:
    """Put the parts of a failure together."""
    words = f"{excerpt(said, EXCERPT_LENGTH)} {one_line(more)}".strip()
    return excerpt(f"{message}: {words}" if words else message, DETAIL_LENGTH)


class ChannelSender(Protocol):
    """One way to reach people."""

    async def send(self, page: OutgoingPage, to: Address) -> str:
        """Hand the page over and return what the answer says, such as `200`; it is masked and cut.

        Raises:
            DeliveryFailed: it did not get through, as far as we know.
        """
