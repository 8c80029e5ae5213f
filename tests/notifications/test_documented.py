"""docs/notifications.md shows every channel, with calls and settings that are real, and work."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from tests.api_steps import Customer, create, firing, set_up
from tests.certificates import make_certificate
from tests.notifications.channels import test_ntfy, test_telegram, test_twilio
from tests.notifications.channels.provider import Answer, Provider, provider
from tests.notifications.channels.test_email import Inbox, mail_server
from tests.processes import command, environment_of
from tests.running import Service, drill_settings, running
from tests.waiting import eventually

from incident_service.notifications.channels.apprise import can_be_used
from incident_service.settings import PREFIX, Settings, read_named_urls
from incident_service.teams.addresses import problem_with
from incident_service.teams.models import Channel
from incident_service.teams.schemas import ContactMethodCreate

TEXT = (Path(__file__).parents[2] / "docs/notifications.md").read_text()
CALL = re.compile(r"^\$ call POST users/USER_ID/contact-methods '(.+)'$", re.MULTILINE)
CALLS = [ContactMethodCreate(**json.loads(body)) for body in CALL.findall(TEXT)]
SETTINGS = dict(re.findall(rf"^{PREFIX}(\w+)=(.+)$", TEXT, re.MULTILINE))
TEAM_CHANNEL = re.search(
    r"^\$ call POST teams/TEAM_ID/channels '(\{.+?\})'$", TEXT, re.MULTILINE | re.DOTALL
)
MAIL_SERVER = "mail.example.org:587"
APPRISE_URL = "pover://USER_KEY@TOKEN"
TOKEN_FILE = "twilio_auth_token"
# What each says of a page that it has taken.
TAKEN = {
    "webhook": "200",
    "ntfy": f"id {test_ntfy.ID}",
    "email": "queued",
    "slack": "200",
    "telegram": "message_id 42",
    "sms": f"{test_twilio.MESSAGE_SID} queued",
    "voice": f"{test_twilio.CALL_SID} queued",
    "apprise": "sent",
}


def test_every_channel_has_a_call_that_makes_a_contact_method():
    assert {call.kind for call in CALLS} == set(Channel) - {Channel.CONSOLE}
    assert [problem_with(call.kind, call.address) for call in CALLS] == [None] * len(CALLS)


def test_its_settings_exist():
    names = {variable.lower().removesuffix("_file") for variable in SETTINGS}

    assert names <= Settings.model_fields.keys()
    assert len(names) >= 7


def test_its_apprise_url_is_one_of_apprises():
    assert can_be_used(APPRISE_URL)
    assert read_named_urls(SETTINGS["APPRISE_URLS"])["ops"] == APPRISE_URL


def settings_at(server: Provider, mail_url: str, directory: Path) -> dict[str, str]:
    """The settings as documented, with servers of ours in the place of the providers'."""
    (directory / TOKEN_FILE).write_text(f"{test_twilio.AUTH_TOKEN}\n")
    moved = {
        "SMTP_URL": SETTINGS["SMTP_URL"].replace(MAIL_SERVER, urlsplit(mail_url).netloc),
        "APPRISE_URLS": SETTINGS["APPRISE_URLS"].replace(
            APPRISE_URL, f"{server.url.replace('http', 'json', 1)}/apprise"
        ),
        "TWILIO_AUTH_TOKEN_FILE": str(directory / TOKEN_FILE),
    }
    assert all(SETTINGS[name] != value for name, value in moved.items())
    servers = dict.fromkeys(("NTFY_URL", "TELEGRAM_URL", "TWILIO_URL"), server.url)
    return {PREFIX + name: value for name, value in (SETTINGS | moved | servers).items()}


def address_at(server: Provider, address: str) -> str:
    """An address as documented, at a server of ours if it names one."""
    return server.url + urlsplit(address).path if "://" in address else address


def lets_in(
    server: SMTP, session: Session, envelope: Envelope, mechanism: str, shown: Any
) -> AuthResult:
    """Know the user of the documented URL, over TLS."""
    is_known = shown == LoginPassword(b"user", b"password") and session.ssl is not None
    return AuthResult(success=is_known, handled=False)


@contextmanager
def documented_mail_server(inbox: Inbox, directory: Path) -> Iterator[tuple[str, Path]]:
    """Serve an inbox by STARTTLS; yields its URL, and the file of whom to trust."""
    certificate = make_certificate(directory)
    demands = {"tls_context": certificate.server, "authenticator": lets_in, "auth_required": True}
    with mail_server(inbox, **demands) as url:
        yield url, certificate.file


async def follow_the_calls(service: Service, server: Provider) -> Customer:
    """Make what the page's calls make, for one person and their team."""
    customer = await set_up(service.api, [f"{server.url}/first"])
    [user_id] = customer.user_ids
    for call in CALLS:
        await create(
            service.api,
            f"/v1/users/{user_id}/contact-methods",
            kind=call.kind.value,
            address=address_at(server, call.address),
        )
    return customer


def shapes() -> dict[str, Answer]:
    """What each provider answers at its path, as its documentation says."""
    return {
        "/sendMessage": test_telegram.taken(),
        "/Messages.json": test_twilio.MESSAGE_TAKEN,
        "/Calls.json": test_twilio.CALL_TAKEN,
        "/hook": Answer(200, ""),
        "/first": Answer(200, ""),
        "/apprise": Answer(200, ""),
        "X" * 24: Answer(200, "ok"),
        "/": test_ntfy.taken(),
    }


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


async def test_a_page_is_sent_by_each_of_them_as_it_stands_there(
    transactions, database_url, valkey, tmp_path, inbox
):
    drill = drill_settings(database_url, valkey.url, 60)
    with documented_mail_server(inbox, tmp_path) as (mail_url, trusted):
        async with provider(Answer(404, "")) as server, running(drill, workers=0) as service:
            server.at = shapes()
            customer = await follow_the_calls(service, server)
            environment = environment_of(drill) | settings_at(server, mail_url, tmp_path)
            environment["SSL_CERT_FILE"] = str(trusted)
            async with command("worker", environment=environment, home=tmp_path) as worker:
                await customer.webhook(firing("Disk"))
                [incident] = await customer.incidents()
                told: dict[str, tuple[str, str]] = {}

                async def all_are_told() -> bool:
                    told.clear()
                    told.update(await how_each_fared(customer, incident["id"]))
                    return not {"pending", "sending"} & {status for status, _ in told.values()}

                await eventually(all_are_told, "every channel")
                worker.terminate()
                await worker.exit_code()

    assert told == {kind: ("sent", said) for kind, said in TAKEN.items()}
    assert inbox.recipients == ["first@example.org"]
    assert inbox.mails[0]["From"] == SETTINGS["EMAIL_FROM"]


async def how_each_fared(customer: Customer, incident_id: str) -> dict[str, tuple[str, str]]:
    rows = await customer.of(incident_id, "notifications")
    return {row["channel"]: (row["status"], row["provider_said"]) for row in rows}


async def test_a_test_of_the_documented_team_channel_arrives(
    transactions, database_url, valkey, tmp_path
):
    assert TEAM_CHANNEL
    wanted = json.loads(TEAM_CHANNEL[1])
    drill = drill_settings(database_url, valkey.url, 60)

    async with provider(Answer(200, "ok")) as server, running(drill) as service:
        customer = await set_up(service.api, [f"{server.url}/first"])
        channels = f"/v1/teams/{customer.team_id}/channels"
        wanted["address"] = address_at(server, wanted["address"])
        made = await create(service.api, channels, **wanted)
        answer = await service.api.post(f"{channels}/{made['id']}/test")

        async def has_come() -> bool:
            return bool(server.asked)

        await eventually(has_come, "the test")

    assert answer.status_code == 202, answer.text
    assert server.asked[0].path == urlsplit(wanted["address"]).path
    assert "This is a test of incident-service." in server.asked[0].json["text"]
