import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from tests.certificates import Certificate, make_certificate
from tests.notifications.arrangements import PAGED, outgoing

from incident_service.notifications.channels.contract import Address, DeliveryFailed
from incident_service.notifications.channels.email import (
    EmailChannel,
    MailServer,
    compose,
    read_smtp_url,
)
from incident_service.notifications.message import OutgoingPage
from incident_service.teams.models import Channel

KINDS = ("plain", "html")
SENDER = "Incidents <incidents@ops.example>"
ANA = Address(Channel.EMAIL, "ana@example.org")


class Inbox:
    """A mail server's memory; `answers` are what it says to a recipient and to a mail.

    `meanwhile` is called when a mail has come in whole, and before it is answered.
    """

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.to_recipient = "250 OK"
        self.to_mail = "250 queued"
        self.meanwhile: Callable[[], None] = lambda: None

    async def handle_RCPT(  # noqa: N802 - the name is the library's
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.to_recipient.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.to_recipient

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        self.recipients.extend(envelope.rcpt_tos)
        self.meanwhile()
        return self.to_mail


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@contextmanager
def mail_server(inbox: Inbox, **options: Any) -> Iterator[str]:
    """Serve an inbox on a free port; yields its URL."""
    controller = FreePort(inbox, hostname="127.0.0.1", port=0, **options)
    controller.start()
    yield f"smtp://127.0.0.1:{controller.found_port}"
    controller.stop()


@pytest.fixture
def channel(inbox: Inbox) -> Iterator[EmailChannel]:
    with mail_server(inbox) as url:
        yield EmailChannel(url, SENDER)


class FreePort(Controller):
    """Listens where the system has room, and says where."""

    @property
    def found_port(self) -> int:
        assert isinstance(self.server, asyncio.Server)
        port: int = self.server.sockets[0].getsockname()[1]
        return port

    def _trigger_server(self) -> None:
        self.port = self.found_port
        super()._trigger_server()  # type: ignore[no-untyped-call]  # aiosmtpd leaves it untyped


async def test_a_mail_says_what_is_wrong(channel: EmailChannel, inbox: Inbox):
    await channel.send(outgoing(), ANA)

    assert inbox.recipients == ["ana@example.org"]
    assert inbox.mails[0]["Subject"] == "[CRITICAL] #12 Disk of db1 is full"
    assert inbox.mails[0].get_content_type() == "multipart/alternative"
    assert [part_of(inbox.mails[0], kind).count("3 % left on /var") for kind in KINDS] == [1, 1]


def part_of(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part
    content: str = part.get_content()
    return content


async def test_every_attempt_is_recognisably_the_same_mail(channel: EmailChannel, inbox: Inbox):
    page = outgoing()

    await channel.send(page, ANA)
    await channel.send(page, ANA)

    assert [mail["Message-ID"] for mail in inbox.mails] == [f"<{page.id}@ops.example>"] * 2


@pytest.mark.parametrize("break_", ["\r\n", "\n", "\r", "\u2028", "\x0b", "\x85"])
async def test_a_title_cannot_add_headers(channel: EmailChannel, inbox: Inbox, break_):
    page = outgoing(replace(PAGED, title=f"full{break_}Bcc: all@example.org"))

    await channel.send(page, ANA)

    assert inbox.mails[0]["Bcc"] is None
    assert inbox.mails[0]["Subject"] == "[CRITICAL] #12 full Bcc: all@example.org"
    assert inbox.recipients == ["ana@example.org"]


@pytest.mark.parametrize(
    "address", ["ana@example.org\nBcc: all@example.org", "ana", "", "a@b, c@d", "<a@b>", "@"]
)
async def test_what_is_no_address_is_a_permanent_failure(
    channel: EmailChannel, inbox: Inbox, address
):
    with pytest.raises(DeliveryFailed) as failure:
        await channel.send(outgoing(), Address(Channel.EMAIL, address))

    assert failure.value.permanent
    assert inbox.mails == []


@pytest.mark.parametrize(
    ("answer", "permanent"), [("451 try later", False), ("550 nobody here", True)]
)
async def test_a_refused_recipient_is_tried_again_only_after_4xx(
    channel: EmailChannel, inbox: Inbox, answer, permanent
):
    inbox.to_recipient = answer

    with pytest.raises(DeliveryFailed, match=answer) as failure:
        await channel.send(outgoing(), ANA)

    assert failure.value.permanent is permanent


@pytest.mark.parametrize(("answer", "permanent"), [("452 disk full", False), ("554 spam", True)])
async def test_a_refused_mail_is_tried_again_only_after_4xx(
    channel: EmailChannel, inbox: Inbox, answer, permanent
):
    inbox.to_mail = answer

    with pytest.raises(DeliveryFailed, match=answer) as failure:
        await channel.send(outgoing(), ANA)

    assert failure.value.permanent is permanent


async def test_a_mail_server_that_is_away_is_tried_again():
    channel = EmailChannel("smtp://127.0.0.1:1", SENDER)

    with pytest.raises(DeliveryFailed) as failure:
        await channel.send(outgoing(), ANA)

    assert not failure.value.permanent


async def test_without_a_mail_server_the_error_names_the_setting():
    with pytest.raises(DeliveryFailed, match="INCIDENT_SERVICE_SMTP_URL") as failure:
        await EmailChannel("", SENDER).send(outgoing(), ANA)

    assert failure.value.permanent


def test_a_mail_is_marked_as_written_by_a_machine():
    page: OutgoingPage = outgoing()

    mail = compose(page, sender=SENDER, recipient="ana@example.org")

    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["From"] == SENDER


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://relay", MailServer("relay", 25, is_encrypted=False)),
        ("smtp://relay:2525", MailServer("relay", 2525, is_encrypted=False)),
        ("smtps://relay", MailServer("relay", 465, is_encrypted=True)),
        (
            "smtp://ana%40b.example:p%3Aw%2F@relay",
            MailServer("relay", 587, is_encrypted=False, username="ana@b.example", password="p:w/"),
        ),
    ],
)
def test_the_mail_server_is_given_as_a_url(url, server):
    assert read_smtp_url(url) == server


@pytest.mark.parametrize("url", ["relay:25", "http://relay", "smtp://", "smtp://relay:notaport"])
def test_a_url_of_something_else_is_refused(url):
    with pytest.raises(ValueError, match=r"smtp://|Port"):
        read_smtp_url(url)


class Doorman:
    """Lets in whoever has the password, and remembers what was shown to it, and how."""

    def __init__(self) -> None:
        self.shown: list[tuple[bytes, bool]] = []

    def __call__(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, shown: Any
    ) -> AuthResult:
        assert isinstance(shown, LoginPassword)
        self.shown.append((shown.password, session.ssl is not None))
        return AuthResult(success=shown.password == b"p@ss", handled=False)


@pytest.fixture
def doorman() -> Doorman:
    return Doorman()


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return make_certificate(tmp_path)


def with_password(url: str, password: str = "p%40ss") -> str:
    return url.replace("smtp://", f"smtp://me:{password}@")


async def test_a_password_is_sent_over_starttls(
    inbox: Inbox, doorman: Doorman, certificate: Certificate
):
    asks = {"authenticator": doorman, "auth_required": True, "tls_context": certificate.server}
    with mail_server(inbox, **asks) as url:
        await EmailChannel(with_password(url), SENDER, tls=certificate.client).send(outgoing(), ANA)

    assert doorman.shown == [(b"p@ss", True)]
    assert inbox.recipients == ["ana@example.org"]


async def test_a_password_that_is_wrong_is_a_permanent_failure_that_does_not_show_it(
    inbox: Inbox, doorman: Doorman, certificate: Certificate
):
    asks = {"authenticator": doorman, "auth_required": True, "tls_context": certificate.server}
    with mail_server(inbox, **asks) as url:
        channel = EmailChannel(with_password(url, "wrong-one"), SENDER, tls=certificate.client)
        with pytest.raises(DeliveryFailed, match="535") as failure:
            await channel.send(outgoing(), ANA)

    assert failure.value.permanent
    assert "wrong-one" not in str(failure.value)


async def test_a_server_without_starttls_is_sent_no_password(inbox: Inbox, doorman: Doorman):
    asks = {"authenticator": doorman, "auth_require_tls": False}
    with mail_server(inbox, **asks) as url, pytest.raises(DeliveryFailed) as failure:
        await EmailChannel(with_password(url), SENDER).send(outgoing(), ANA)

    assert "INCIDENT_SERVICE_SMTP_LOGIN_WITHOUT_TLS" in str(failure.value)
    assert failure.value.permanent
    assert doorman.shown == []
    assert inbox.mails == []


async def test_it_is_when_the_installation_says_so(inbox: Inbox, doorman: Doorman):
    asks = {"authenticator": doorman, "auth_require_tls": False}
    with mail_server(inbox, **asks) as url:
        channel = EmailChannel(with_password(url), SENDER, login_without_tls=True)
        await channel.send(outgoing(), ANA)

    assert doorman.shown == [(b"p@ss", False)]
    assert len(inbox.mails) == 1


async def test_a_server_whose_certificate_is_not_trusted_is_sent_no_password(
    inbox: Inbox, doorman: Doorman, certificate: Certificate
):
    asks = {"authenticator": doorman, "tls_context": certificate.server}
    with (
        mail_server(inbox, **asks) as url,
        pytest.raises(DeliveryFailed, match="certificate") as failure,
    ):
        await EmailChannel(with_password(url), SENDER).send(outgoing(), ANA)

    assert failure.value.permanent
    assert doorman.shown == []


async def test_without_a_password_starttls_is_used_when_it_is_offered(
    inbox: Inbox, certificate: Certificate
):
    with mail_server(inbox, tls_context=certificate.server, require_starttls=True) as url:
        await EmailChannel(url, SENDER, tls=certificate.client).send(outgoing(), ANA)

    assert len(inbox.mails) == 1
