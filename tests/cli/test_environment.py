"""Settings that are wrong end a command in words."""

import socket

import pytest

from incident_service.cli.dev.reach import Reach, read_reach, with_sender
from incident_service.cli.environment import as_environment, load_settings, require_servers
from incident_service.cli.failing import CannotRun
from incident_service.cli.serving import bind
from incident_service.cli.working import beat, is_alive
from incident_service.settings import Settings


def settings(**given: object) -> Settings:
    return Settings(_env_file=None, **given)  # type: ignore[arg-type]  # any setting


def test_a_wrong_setting_is_named_and_its_value_is_not_repeated():
    with pytest.raises(CannotRun) as refused:
        load_settings(database_url="mysql://me:secret@host/name")

    assert "INCIDENT_SERVICE_DATABASE_URL" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_missing_servers_are_named_together():
    with pytest.raises(CannotRun, match=r"DATABASE_URL and INCIDENT_SERVICE_REDIS_URL.*`inc"):
        require_servers(settings())


def test_settings_can_be_handed_to_another_process():
    given = settings(escalation_minute_seconds=5, outbound_allow="127.0.0.0/8,::1/128")

    environment = as_environment(given, ["escalation_minute_seconds", "outbound_allow"])

    assert environment == {
        "INCIDENT_SERVICE_ESCALATION_MINUTE_SECONDS": "5.0",
        "INCIDENT_SERVICE_OUTBOUND_ALLOW": "127.0.0.0/8,::1/128",
    }


def test_a_secret_is_handed_to_another_process_and_what_is_not_set_is_not():
    given = settings(secret_key="s" * 32)

    environment = as_environment(given, ["secret_key", "heartbeat_url"])

    assert environment == {"INCIDENT_SERVICE_SECRET_KEY": "s" * 32}


def test_secrets_are_handed_over_and_what_is_not_set_is_not():
    given = settings(twilio_auth_token="hushhush")

    environment = as_environment(given, ["twilio_auth_token", "telegram_bot_token"])

    assert environment == {"INCIDENT_SERVICE_TWILIO_AUTH_TOKEN": "hushhush"}


def test_apprise_urls_that_are_wrong_are_not_repeated():
    with pytest.raises(CannotRun) as refused:
        load_settings(apprise_urls="json://me:secret@host")

    assert "INCIDENT_SERVICE_APPRISE_URLS" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_dev_can_reach_a_phone_and_a_mailbox():
    environment = {"NTFY_TOPIC": " my-topic ", "EMAIL": "me@example.org"}

    reach = read_reach(environment, settings(smtp_url="smtp://127.0.0.1:25"))

    assert reach == Reach("my-topic", "me@example.org")


@pytest.mark.parametrize(
    ("given", "sender"),
    [
        ({"smtp_url": "smtp://ana%40b.example:pw@relay"}, "ana@b.example"),
        ({"smtp_url": "smtp://ana:pw@relay"}, "me@example.org"),
        ({"smtp_url": "smtp://relay"}, "me@example.org"),
        ({"smtp_url": "smtp://relay", "email_from": "ops@b.example"}, "ops@b.example"),
    ],
)
def test_mails_of_dev_come_from_somebody_whom_the_mail_server_believes(given, sender):
    assert with_sender(settings(**given), Reach(email="me@example.org")).email_from == sender


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"EMAIL": "me@example.org"}, "INCIDENT_SERVICE_SMTP_URL"),
        ({"EMAIL": "nobody"}, "'nobody' cannot be used"),
        ({"NTFY_TOPIC": "two words"}, "'two words' cannot be used"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_in_words(environment, words):
    with pytest.raises(CannotRun, match=words):
        read_reach(environment, settings())


def test_a_port_that_is_taken_is_refused_in_words():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(CannotRun, match=f"Port {port} of 127.0.0.1 is taken"):
            bind("127.0.0.1", port)


async def test_a_worker_is_alive_while_its_heart_beats(tmp_path):
    heart = tmp_path / "worker.alive"
    before = is_alive(heart)

    await beat(heart)

    assert (before, is_alive(heart)) == (False, True)


async def test_a_heartbeat_is_not_written_through_a_link(tmp_path):
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "worker.alive").symlink_to(tmp_path / "victim")

    with pytest.raises(OSError):  # noqa: PT011 - the system says which
        await beat(tmp_path / "worker.alive")
