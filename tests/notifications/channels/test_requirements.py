import pytest
from tests.notifications.arrangements import outgoing

from incident_service.core.outbound import Outbound
from incident_service.notifications.channels import make_channels
from incident_service.notifications.channels.contract import Address, DeliveryFailed
from incident_service.notifications.channels.requirements import missing_variables
from incident_service.settings import Settings
from incident_service.teams.models import Channel

TWILIO = [
    "INCIDENT_SERVICE_TWILIO_ACCOUNT_SID",
    "INCIDENT_SERVICE_TWILIO_AUTH_TOKEN",
    "INCIDENT_SERVICE_TWILIO_FROM_NUMBER",
]
MISSING = {
    Channel.EMAIL: ["INCIDENT_SERVICE_SMTP_URL"],
    Channel.TELEGRAM: ["INCIDENT_SERVICE_TELEGRAM_BOT_TOKEN"],
    Channel.SMS: TWILIO,
    Channel.VOICE: TWILIO,
    Channel.APPRISE: ["INCIDENT_SERVICE_APPRISE_URLS"],
}


@pytest.mark.parametrize("channel", [each for each in Channel if each is not Channel.CONSOLE])
def test_it_is_known_which_settings_a_channel_lacks(channel):
    assert missing_variables(Settings(_env_file=None), channel) == MISSING.get(channel, [])


def test_a_part_of_the_settings_does_not_suffice():
    settings = Settings(_env_file=None, twilio_account_sid="AC0", twilio_from_number="+1555")

    assert missing_variables(settings, Channel.SMS) == ["INCIDENT_SERVICE_TWILIO_AUTH_TOKEN"]


@pytest.mark.parametrize(("channel", "variables"), MISSING.items())
async def test_a_channel_without_its_settings_fails_at_once_and_names_them(channel, variables):
    channels = make_channels(Settings(_env_file=None), Outbound())

    with pytest.raises(DeliveryFailed) as failure:
        await channels[channel].send(outgoing(), Address(channel, "anything"))

    assert failure.value.permanent
    assert all(variable in str(failure.value) for variable in variables)


def test_every_channel_but_the_console_is_made():
    channels = make_channels(Settings(_env_file=None), Outbound())

    assert channels.keys() == set(Channel) - {Channel.CONSOLE}
