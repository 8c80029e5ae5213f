"""Make secrets, and recognise them by their hash."""

import hashlib
import secrets
from dataclasses import dataclass

HINT_LENGTH = 8


@dataclass(frozen=True, slots=True)
class Token:
    """A fresh secret: `text` is shown once, `digest` is stored, `hint` helps to tell keys apart."""

    text: str
    digest: str
    hint: str


def make(prefix: str) -> Token:
    """Make a secret of 256 random bits, like `isk_Zk3…`."""
    return of(f"{prefix}_{secrets.token_urlsafe(32)}")


def of(text: str) -> Token:
    """Describe a secret that exists already."""
    return Token(text, digest(text), text[:HINT_LENGTH])


def digest(text: str) -> str:
    """Return the SHA-256 of a secret, in hexadecimal.

    A plain hash is enough: the secrets are random, so there is no dictionary to try. Looking a
    key up by its hash leaks nothing useful through timing.
    """
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
