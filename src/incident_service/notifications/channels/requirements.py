"""Decide whether an installation's settings suffice for a channel."""

from incident_service.notifications.channels.contract import Address, DeliveryFailed
from incident_service.notifications.message import OutgoingPage
from incident_service.settings import PREFIX, Settings
from incident_service.teams.models import Channel

TWILIO = ("twilio_account_sid", "twilio_auth_token", "twilio_from_number")
NEEDED = {
    Channel.EMAIL: ("smtp_url",),
    Channel.TELEGRAM: ("telegram_bot_token",),
    Channel.SMS: TWILIO,
    Channel.VOICE: TWILIO,
    Channel.APPRISE: ("apprise_urls",),
}


def missing_variables(settings: Settings, channel: Channel) -> list[str]:
    """Return the environment variables without which the channel sends nothing."""
    return [
        PREFIX + name.upper() for name in NEEDED.get(channel, ()) if not getattr(settings, name)
    ]


class UnconfiguredChannel:
    """Stands in for a channel that cannot send: a page for it fails at once, and says why."""

    def __init__(self, missing: list[str]) -> None:
        self._missing = missing

    async def send(self, page: OutgoingPage, to: Address) -> str:  # noqa: ARG002
        """Refuse; see `ChannelSender.send`."""
        raise DeliveryFailed(
            f"Nothing can be sent by {to.kind.value}: set {', '.join(self._missing)}.",
            permanent=True,
        )
