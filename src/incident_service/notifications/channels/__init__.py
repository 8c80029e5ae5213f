"""The ways to reach people: one module and one line here a channel."""

from typing import TextIO

from incident_service.core.outbound import Outbound
from incident_service.notifications.channels.console import ConsoleChannel
from incident_service.notifications.channels.contract import ChannelSender
from incident_service.notifications.channels.email import EmailChannel
from incident_service.notifications.channels.ntfy import NtfyChannel
from incident_service.notifications.channels.webhook import WebhookChannel
from incident_service.settings import Settings
from incident_service.teams.models import Channel


def make_channels(
    settings: Settings, outbound: Outbound, console: TextIO | None = None
) -> dict[Channel, ChannelSender]:
    """Make every channel; the console's only where there is one to print to."""
    channels: dict[Channel, ChannelSender] = {
        Channel.WEBHOOK: WebhookChannel(outbound),
        Channel.EMAIL: EmailChannel(settings.smtp_url, settings.email_from),
        Channel.NTFY: NtfyChannel(outbound, settings.ntfy_url),
    }
    return channels | ({Channel.CONSOLE: ConsoleChannel(console)} if console else {})
