"""Make and read the links by which pages are answered. Pure: no clock, no database.

A link names its page, and its row says the rest: whose page it is, when it was made, which climb of
which incident it is about. So a link is short enough for an SMS, and nothing in it can disagree
with the row: 22 characters of the page's id, a dot, 22 of the signature.
"""

import hashlib
import re
from collections.abc import Sequence
from uuid import UUID

from itsdangerous import BadSignature, HMACAlgorithm, Signer
from itsdangerous.encoding import base64_decode, base64_encode

from incident_service.settings import Settings

PATH = "/a/"
# The keys may come to sign other things as well: one kind must not pass for another.
SALT = b"incident-service.answer"
SIGNATURE_BYTES = 16
# 16 bytes as base64: the last character holds two bits only. Asking for exactly that leaves each
# token one spelling; decoders overlook characters that are not of the alphabet.
SHAPE = re.compile(r"[\w-]{21}[AQgw]\.[\w-]{21}[AQgw]", re.ASCII)


class HalfHmac(HMACAlgorithm):
    """HMAC-SHA256, cut to its first half.

    Source: https://www.rfc-editor.org/rfc/rfc2104#section-5
    """

    def get_signature(self, key: bytes, value: bytes) -> bytes:
        """Sign; comparing, in constant time, is inherited."""
        return super().get_signature(key, value)[:SIGNATURE_BYTES]


class AnswerLinks:
    """Links below `base_url`, signed with the first of `keys`; those signed with any are read."""

    def __init__(self, keys: Sequence[str], base_url: str) -> None:
        self._base_url = base_url
        self._signer = Signer(
            list(reversed(keys)),  # itsdangerous has the newest last
            salt=SALT,
            key_derivation="hmac",
            digest_method=hashlib.sha256,
            algorithm=HalfHmac(hashlib.sha256),
        )

    def url(self, page_id: UUID) -> str:
        """Return the page's link."""
        return f"{self._base_url}{PATH}{self.token(page_id)}"

    def token(self, page_id: UUID) -> str:
        """Return the secret part of the page's link: always the same, so that retries are alike."""
        return self._signer.sign(base64_encode(page_id.bytes)).decode()

    def find_page_id(self, token: str) -> UUID | None:
        """Return the page that a token names; None when none of our keys has signed it."""
        if not SHAPE.fullmatch(token):
            return None
        try:
            return UUID(bytes=base64_decode(self._signer.unsign(token)))
        except BadSignature:
            return None


def make_links(settings: Settings) -> AnswerLinks | None:
    """Make the links of this installation; None when there is no key to sign them with."""
    keys = settings.secret_keys
    return AnswerLinks(keys, settings.base_url) if keys else None
