"""Pages as mails."""

import email.errors
import ssl
from dataclasses import dataclass, field, replace
from email.headerregistry import Address as MailAddress
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

import aiosmtplib

from incident_service.notifications.channels.contract import Address, DeliveryFailed
from incident_service.notifications.message import OutgoingPage, subject, text
from incident_service.notifications.wording.markup import as_html

PERMANENT_CODES = range(500, 600)
ENCRYPTED_PORT = 465
SUBMISSION_PORT = 587
RELAY_PORT = 25
PATIENCE_S = 9.0
NO_STARTTLS = "STARTTLS extension not supported"
WITHOUT_TLS = (
    "The mail server offers no STARTTLS, so it is sent no password: use smtps://, or set "
    "INCIDENT_SERVICE_SMTP_LOGIN_WITHOUT_TLS=true."
)


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mails are handed in. Without `needs_tls` a password is sent however the line is."""

    host: str
    port: int
    is_encrypted: bool
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    needs_tls: bool = True

    @property
    def start_tls(self) -> bool | None:
        """Say whether STARTTLS has to be; None: when the server offers it."""
        if self.is_encrypted:
            return False
        return True if self.username and self.needs_tls else None


class EmailChannel:
    """Hands mails to an SMTP server, with STARTTLS when it offers that.

    A password goes out over TLS only, unless the installation says otherwise: whoever is between
    can take the offer of STARTTLS out of what the server says.
    """

    def __init__(
        self,
        smtp_url: str,
        sender: str,
        *,
        login_without_tls: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        server = read_smtp_url(smtp_url) if smtp_url else None
        self._server = server and replace(server, needs_tls=not login_without_tls)
        self._sender = sender
        self._tls = tls

    async def send(self, page: OutgoingPage, to: Address) -> str:
        """Hand the mail in; see `ChannelSender.send`."""
        if self._server is None:
            raise DeliveryFailed(
                "No mail server is known: set INCIDENT_SERVICE_SMTP_URL.", permanent=True
            )
        mail = compose(page, sender=self._sender, recipient=to.address)
        try:
            _, answer = await hand_in(self._server, mail, self._tls)
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise refused(error.recipients[0]) from error
        except aiosmtplib.SMTPResponseException as error:
            raise refused(error) from error
        except (aiosmtplib.SMTPNotSupported, ValueError) as error:
            raise DeliveryFailed(
                "The mail cannot be sent", said=str(error), permanent=True
            ) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            if NO_STARTTLS in str(error):
                raise DeliveryFailed(WITHOUT_TLS, permanent=True) from error
            raise DeliveryFailed("The mail server failed", said=str(error)) from error
        return answer


async def hand_in(
    server: MailServer, mail: EmailMessage, tls: ssl.SSLContext | None
) -> tuple[object, str]:
    """Send one mail over a connection of its own."""
    return await aiosmtplib.send(
        mail,
        hostname=server.host,
        port=server.port,
        username=server.username,
        password=server.password,
        use_tls=server.is_encrypted,
        start_tls=server.start_tls,
        tls_context=tls,
        timeout=PATIENCE_S,
    )


def refused(error: aiosmtplib.SMTPResponseException) -> DeliveryFailed:
    """Read the server's answer: 5xx is final, anything else may pass (RFC 5321, 4.2.1)."""
    return DeliveryFailed(
        f"The mail server answered {error.code} {error.message}",
        permanent=error.code in PERMANENT_CODES,
    )


def compose(page: OutgoingPage, *, sender: str, recipient: str) -> EmailMessage:
    """Write the mail. Its Message-ID is the page's: every attempt is recognisably the same mail.

    Raises:
        DeliveryFailed: the recipient is no mail address.
    """
    mail = EmailMessage()
    try:
        mail["To"] = MailAddress(addr_spec=recipient)
    except (ValueError, IndexError, email.errors.MessageError) as error:
        raise DeliveryFailed("The mail address cannot be read.", permanent=True) from error
    mail["From"] = sender
    mail["Subject"] = subject(page)
    mail["Date"] = page.sent_at
    mail["Message-ID"] = f"<{page.id}@{sender.rpartition('@')[2].rstrip('> ')}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(text(page))
    mail.add_alternative(as_html(page), subtype="html")
    return mail


def read_smtp_url(url: str) -> MailServer:
    """Read `smtp[s]://[user:password@]host[:port]`; user and password are percent-encoded.

    Raises:
        ValueError: it is none; settings are read at start, so the operator sees it there.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise ValueError("INCIDENT_SERVICE_SMTP_URL must look like smtp://user:password@host:587")
    is_encrypted = parts.scheme == "smtps"
    plain_port = SUBMISSION_PORT if parts.username else RELAY_PORT
    return MailServer(
        host=parts.hostname,
        port=parts.port or (ENCRYPTED_PORT if is_encrypted else plain_port),
        is_encrypted=is_encrypted,
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )
