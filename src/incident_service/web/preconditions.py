"""Decide whether what a caller knows of a thing still holds, by entity tags. Pure.

Source: https://www.rfc-editor.org/rfc/rfc9110#section-13
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from incident_service.core.errors import Malformed, PreconditionFailed

ONE_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
# Empty elements of a list are allowed, and say nothing.
TAGS = re.compile(rf"[ \t,]*(?:{ONE_TAG}[ \t]*(?:,[ \t,]*|$))+")
NAMED = re.compile(r'(W/)?"([^"]*)"')
DIGEST_BYTES = 10


class TagsUnreadable(Malformed):
    """Write `*`, or entity tags in double quotes with commas between them."""


@dataclass(frozen=True, slots=True)
class Tag:
    """A strong entity tag. `state` stands for what callers change, `noted` for what they cannot.

    What the service notes by itself makes a kept copy old, but no writer has to know of it.
    """

    state: str
    noted: str = ""

    def __str__(self) -> str:
        """Return the tag without its quotes."""
        return f"{self.state}-{self.noted}" if self.noted else self.state

    def as_header(self) -> str:
        """Return the tag as HTTP writes it."""
        return f'"{self}"'


@dataclass(frozen=True, slots=True)
class Named:
    """One tag that a caller names."""

    text: str
    is_weak: bool = False

    @property
    def state(self) -> str:
        """What comes before the first dash; no state has one."""
        return self.text.partition("-")[0]


@dataclass(frozen=True, slots=True)
class Condition:
    """The tags that `If-Match` or `If-None-Match` names; None: `*`, whatever there is."""

    named: tuple[Named, ...] | None

    def knows(self, present: Tag) -> bool:
        """Say whether the caller has this very representation; weak tags count as well."""
        return self.named is None or any(each.text == str(present) for each in self.named)

    def allows(self, present: Tag | None) -> bool:
        """Say whether a caller who saw this may change it; None: there is nothing."""
        if present is None:
            return False
        return self.named is None or any(
            not each.is_weak and each.state == present.state for each in self.named
        )

    def require(self, present: Tag | None) -> None:
        """Refuse to change what the caller has not seen.

        Raises:
            PreconditionFailed: it is another by now, or is not there.
        """
        if not self.allows(present):
            raise PreconditionFailed


def read_condition(header: str) -> Condition:
    """Read the value of `If-Match` or `If-None-Match`.

    Raises:
        TagsUnreadable: it is neither `*` nor a list of entity tags.
    """
    if header.strip(" \t") == "*":
        return Condition(None)
    if not TAGS.fullmatch(header):
        raise TagsUnreadable
    return Condition(tuple(named_in(header)))


def named_in(header: str) -> Iterator[Named]:
    """Return the tags of a list that can be read."""
    for weak, text in NAMED.findall(header):
        yield Named(text, is_weak=bool(weak))


def tag_of(state: Mapping[str, Any], noted: Mapping[str, Any]) -> Tag:
    """Return the tag of a representation; both are JSON objects, in any order of their names."""
    return Tag(digest(state), digest(noted) if noted else "")


def digest(content: object) -> str:
    """Return the digest of a JSON value; 80 bits, as nobody gains by two that are alike."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES).hexdigest()
