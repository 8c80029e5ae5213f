from io import StringIO

from tests.notifications.arrangements import outgoing

from incident_service.core.outbound import Outbound
from incident_service.notifications.channels import make_channels
from incident_service.notifications.channels.contract import Address
from incident_service.settings import Settings
from incident_service.teams.models import Channel


async def test_the_console_shows_the_page(settings: Settings):
    output = StringIO()
    channels = make_channels(settings, Outbound(), output)

    detail = await channels[Channel.CONSOLE].send(outgoing(), Address(Channel.CONSOLE, "Ana"))

    assert detail == "printed"
    assert "Ana: [CRITICAL] #12 Disk of db1 is full" in output.getvalue()


def test_without_a_terminal_there_is_no_console(settings: Settings):
    assert Channel.CONSOLE not in make_channels(settings, Outbound())
