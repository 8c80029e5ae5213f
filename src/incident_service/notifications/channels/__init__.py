"""The ways to reach people: one module and one line here a channel."""

from typing import TextIO

from incident_service.core.outbound import Outbound
from incident_service.notifications.channels.apprise import AppriseChannel
from incident_service.notifications.channels.console import ConsoleChannel
from incident_service.notifications.channels.contract import ChannelSender
from incident_service.notifications.channels.email import EmailChannel
from incident_service.notifications.channels.ntfy import NtfyChannel
from incident_service.notifications.channels.requirements import (
    UnconfiguredChannel,
    missing_variables,
)
from incident_service.notifications.channels.slack import SlackChannel
from incident_service.notifications.channels.telegram import TelegramChannel
from incident_service.notifications.channels.twilio import SmsChannel, TwilioAccount, VoiceChannel
from incident_service.notifications.channels.twilio_callbacks import make_callbacks
from incident_service.notifications.channels.webhook import WebhookChannel
from incident_service.settings import Settings, secret_text
from incident_service.teams.models import Channel


def make_channels(
    settings: Settings, outbound: Outbound, console: TextIO | None = None
) -> dict[Channel, ChannelSender]:
    """Make every channel; the console's only where there is one to print to.

    One whose settings are missing is there too: it says which.
    """
    twilio = TwilioAccount(
        server_url=settings.twilio_url,
        account_sid=settings.twilio_account_sid,
        auth_token=secret_text(settings.twilio_auth_token),
        from_number=settings.twilio_from_number,
        callbacks=make_callbacks(settings),
    )
    bot_token = secret_text(settings.telegram_bot_token)
    channels: dict[Channel, ChannelSender] = {
        Channel.WEBHOOK: WebhookChannel(outbound),
        Channel.EMAIL: EmailChannel(
            settings.smtp_url,
            settings.email_from,
            login_without_tls=settings.smtp_login_without_tls,
        ),
        Channel.NTFY: NtfyChannel(outbound, settings.ntfy_url),
        Channel.SLACK: SlackChannel(outbound),
        Channel.TELEGRAM: TelegramChannel(outbound, settings.telegram_url, bot_token),
        Channel.SMS: SmsChannel(outbound, twilio),
        Channel.VOICE: VoiceChannel(outbound, twilio),
        Channel.APPRISE: AppriseChannel(settings.named_apprise_urls),
    }
    unconfigured = {
        channel: UnconfiguredChannel(missing)
        for channel in channels
        if (missing := missing_variables(settings, channel))
    }
    return channels | unconfigured | ({Channel.CONSOLE: ConsoleChannel(console)} if console else {})
