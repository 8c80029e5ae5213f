from dataclasses import replace
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


async def test_a_page_on_the_console_ends_with_the_command_that_takes_it(settings: Settings):
    page = outgoing()
    output = StringIO()
    channels = make_channels(settings, Outbound(), output)

    await channels[Channel.CONSOLE].send(page, Address(Channel.CONSOLE, "Ana"))

    last_line = output.getvalue().strip().splitlines()[-1]
    assert last_line.startswith("take it: curl ")
    assert f"{page.incidents[0].url}/acknowledge" in last_line


async def test_a_long_page_shows_its_first_incidents(settings: Settings):
    page = outgoing()
    long = replace(page, incidents=page.incidents * 5)
    output = StringIO()
    channels = make_channels(settings, Outbound(), output)

    await channels[Channel.CONSOLE].send(long, Address(Channel.CONSOLE, "Ana"))

    assert "… and 2 more incidents" in output.getvalue()


def test_without_a_terminal_there_is_no_console(settings: Settings):
    assert Channel.CONSOLE not in make_channels(settings, Outbound())
