"""What a cursor is: where a page ended, in which list, and a sum that shows damage. Pure.

The sum is no signature: a cursor grants nothing, it only says where to go on.
"""

import base64
import json
from collections.abc import Iterable
from hashlib import blake2b

from incident_service.core.errors import Malformed

SIZE = 8
# They say how a page is shown, not which list it is of.
BESIDES = frozenset({"limit", "cursor", "format"})


class CursorUnreadable(Malformed):
    """The cursor is not one that this service gave out; start again without it."""


class CursorOfAnotherList(Malformed):
    """The cursor belongs to another list, another sort or other filters; start again without it."""


def digest_of(path: str, parameters: Iterable[tuple[str, str]]) -> bytes:
    """Return what tells a list from others: its path, its sort and its filters, in any order."""
    narrowed = sorted([name, value] for name, value in parameters if name not in BESIDES)
    return digest(json.dumps([path, narrowed]).encode())


def encode(list_digest: bytes, place: bytes) -> str:
    """Make the opaque cursor that goes on after a place of the list."""
    content = list_digest + place
    return as_text(content + digest(content))


def decode(list_digest: bytes, cursor: str) -> bytes:
    """Return the place that a cursor holds.

    Raises:
        CursorUnreadable: it was not made by `encode`, or something of it was changed.
        CursorOfAnotherList: it was, for a list with another digest.
    """
    try:
        packed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except ValueError as error:
        raise CursorUnreadable from error
    content, kept = packed[:-SIZE], packed[-SIZE:]
    # Several texts may stand for the same bytes; one of them is ours.
    if as_text(packed) != cursor or len(content) < SIZE or digest(content) != kept:
        raise CursorUnreadable
    if content[:SIZE] != list_digest:
        raise CursorOfAnotherList
    return content[SIZE:]


def as_text(packed: bytes) -> str:
    """Write bytes with letters that an address may hold as they are."""
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def digest(content: bytes) -> bytes:
    """Return a digest of `SIZE` bytes."""
    return blake2b(content, digest_size=SIZE).digest()
