"""Where Twilio reports how messages and calls fare, and whether it was Twilio who did. Pure.

Source: https://www.twilio.com/docs/usage/security#validating-requests
"""

import base64
import hmac
from collections import defaultdict
from collections.abc import Sequence
from hashlib import sha1
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit
from uuid import UUID

from incident_service.core.addresses import special_purpose
from incident_service.settings import Settings, secret_text

PATH = "/callbacks/twilio"
STANDARD_PORTS = {"http": 80, "https": 443}
# Names that no server outside can look up. Twilio takes none with an underscore either.
INSIDE = (".localhost", ".local", ".internal", ".lan", ".home.arpa")

Fields = Sequence[tuple[str, str]]
"""The fields of a form, in the order in which they came; empty ones too: they are signed."""


class TwilioCallbacks:
    """One address below `base_url` for each attempt; what is sent there is signed by `auth_token`.

    The address is no secret.
    """

    def __init__(self, base_url: str, auth_token: str) -> None:
        self._base_url = base_url
        self._key = auth_token.encode()

    def url(self, page_id: UUID, attempt: int) -> str:
        """Return where to report how an attempt fares."""
        return f"{self._base_url}/v1{PATH}/{page_id}/{attempt}"

    def is_signed(self, url: str, fields: Fields, signature: str) -> bool:
        """Say whether Twilio, or whoever else has the token, has sent these fields to this URL."""
        # Bytes: of texts, only those in ASCII can be compared in constant time.
        given = signature.encode()
        wanted = [self.sign(spelling, fields).encode() for spelling in spellings(url)]
        return any([hmac.compare_digest(given, each) for each in wanted])  # noqa: C419 - both, always

    def sign(self, url: str, fields: Fields) -> str:
        """Sign the URL and, by name, each field's name and value, with nothing in between.

        Of a field that comes several times each value counts once, in order, as in Twilio's own
        libraries.
        """
        values: dict[str, set[str]] = defaultdict(set)
        for name, value in fields:
            values[name].add(value)
        parts = [name + value for name in sorted(values) for value in sorted(values[name])]
        digest = hmac.digest(self._key, (url + "".join(parts)).encode(), sha1)
        return base64.b64encode(digest).decode()


def spellings(url: str) -> tuple[str, str]:
    """Return the URL without its port and with it: Twilio signs now one, now the other.

    Source: https://www.twilio.com/docs/usage/webhooks/webhooks-security
    """
    parts = urlsplit(url)
    host = host_of(parts)
    port = parts.port or STANDARD_PORTS[parts.scheme]
    return (
        parts._replace(netloc=host).geturl(),
        parts._replace(netloc=f"{host}:{port}").geturl(),
    )


def host_of(parts: SplitResult) -> str:
    """Return the host as it is written, without its port."""
    host, colon, port = parts.netloc.rpartition(":")
    return host if colon and not port.endswith("]") else parts.netloc


def is_reachable(url: str) -> bool:
    """Say whether Twilio may take a URL for one that it can call: it is one of the public internet.

    Twilio refuses the whole message for the sake of an address that it does not like (error 21609).
    """
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if parts.scheme not in STANDARD_PORTS or "@" in parts.netloc or parts.query or parts.fragment:
        return False
    try:
        return special_purpose(ip_address(host)) is None
    except ValueError:
        return "." in host and "_" not in host and not host.rstrip(".").endswith(INSIDE)


def make_callbacks(settings: Settings) -> TwilioCallbacks | None:
    """Make the addresses of this installation; None when Twilio could not call or sign them."""
    auth_token = secret_text(settings.twilio_auth_token)
    if not auth_token or not is_reachable(settings.public_url):
        return None
    return TwilioCallbacks(settings.base_url, auth_token)
