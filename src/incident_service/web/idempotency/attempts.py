"""Tell requests apart, and seal their answers, by the API key of who asks. Pure.

The text of an API key is stored nowhere, so nothing of this can be read or guessed from a stolen
database, whether or not a sealing key is set; and whoever asks again brings the text along.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from uuid import UUID

from incident_service.core.sealing import Sealer

# The others belong to one answer alone, or are made anew.
KEPT_HEADERS = ("content-type", "etag", "location", "link")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, as far as it decides what is done. `path` is with its query."""

    method: str
    path: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, as far as it is given again."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request under a key. `secret` is the text of the API key that asks."""

    api_key_id: UUID
    key: str
    digest: str
    secret: str = field(repr=False)

    @classmethod
    def of(cls, asked: Asked, key: str, *, api_key_id: UUID, secret: str) -> Self:
        """Describe a request, the same one always alike."""
        head = f"{asked.method} {asked.path}\n".encode("utf-8", "surrogateescape")
        digest = hmac.new(secret.encode(), head + asked.body, hashlib.sha256).hexdigest()
        return cls(api_key_id, key, digest, secret)

    @property
    def lock(self) -> int:
        """The number of the advisory lock of the key: 64 bits, with a sign."""
        name = f"{self.api_key_id}:{self.key}".encode()
        return int.from_bytes(hashlib.sha256(name).digest()[:8], "big", signed=True)

    def seal(self, body: bytes) -> str:
        """Return the form of an answer's body to store."""
        return Sealer([self.secret]).seal(body.decode())

    def open(self, stored: str) -> bytes:
        """Return the body of what is stored."""
        return Sealer([self.secret]).open(stored).encode()


def kept(headers: Mapping[str, str]) -> dict[str, str]:
    """Return those of an answer's headers that are given again."""
    return {name: headers[name] for name in KEPT_HEADERS if name in headers}
