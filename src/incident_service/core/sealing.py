"""Seal texts that must not be read from a stolen database or backup. Pure.

The same text is sealed alike each time, so that a unique index still finds it twice.
"""

import base64
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PREFIX = "sealed:"
# Should the same key be set for something else: what is derived here is of no use there.
PURPOSE = b"incident-service.sealing"
KEY_BYTES = 64


class SealBroken(Exception):
    """INCIDENT_SERVICE_SEALING_KEY is not, or no longer has, the key that this was sealed with."""


def is_sealed(text: str) -> bool:
    """Say whether a text is one that could not be opened."""
    return text.startswith(PREFIX)


class Sealer:
    """Seals with the first of `keys`, and opens what was sealed with any; without keys: neither.

    AES-SIV, with a key that HKDF-SHA256 derives.

    Source: https://www.rfc-editor.org/rfc/rfc5297, https://www.rfc-editor.org/rfc/rfc5869
    """

    def __init__(self, keys: Sequence[str] = ()) -> None:
        self._ciphers = [AESSIV(derived(key)) for key in keys]

    @property
    def has_key(self) -> bool:
        """Say whether anything is sealed."""
        return bool(self._ciphers)

    def seal(self, text: str) -> str:
        """Return the form to store; plain text without a key."""
        if not self._ciphers or not text:
            return text
        sealed = self._ciphers[0].encrypt(text.encode(), [PURPOSE])
        return PREFIX + base64.urlsafe_b64encode(sealed).decode()

    def opens(self, stored: str) -> bool:
        """Say whether `open` returns a text."""
        try:
            self.open(stored)
        except SealBroken:
            return False
        return True

    def open(self, stored: str) -> str:
        """Return the text of what is stored; plain text is what it says.

        Raises:
            SealBroken: none of the keys opens it.
        """
        if not is_sealed(stored):
            return stored
        for cipher in self._ciphers:
            try:
                sealed = base64.urlsafe_b64decode(stored.removeprefix(PREFIX))
                return cipher.decrypt(sealed, [PURPOSE]).decode()
            except (InvalidTag, ValueError):
                continue
        raise SealBroken


def derived(key: str) -> bytes:
    """Return what is sealed with."""
    return HKDF(SHA256(), length=KEY_BYTES, salt=None, info=PURPOSE).derive(key.encode())
