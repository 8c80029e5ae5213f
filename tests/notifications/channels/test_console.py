"""The terminal of `make run` shows everything that a newcomer needs to answer."""

from dataclasses import replace
from io import StringIO

from tests.notifications.arrangements import PAGED, outgoing

from incident_service.notifications.channels.console import ConsoleChannel
from incident_service.notifications.channels.contract import Address
from incident_service.teams.models import Channel

NEWCOMER = Address(Channel.CONSOLE, "First Responder")
LINK = "https://incidents.example/a/token"


async def printed(page) -> str:
    output = StringIO()
    await ConsoleChannel(output).send(page, NEWCOMER)
    return output.getvalue()


async def test_a_page_ends_with_the_link_and_the_command_that_answer_it():
    lines = (await printed(replace(outgoing(), answer_url=LINK))).strip().splitlines()

    assert f"answer it: {LINK}" in lines
    assert lines[-1].startswith(f"take it: curl -sS -X POST {PAGED.url}/acknowledge")


async def test_without_a_link_there_is_still_the_command():
    text = await printed(outgoing())

    assert "answer it" not in text
    assert "take it: curl" in text


async def test_of_many_incidents_the_first_are_printed():
    text = await printed(outgoing(*[PAGED] * 50))

    assert "… and 47 more incidents" in text
