"""Where a stream is to be resumed, as its events' ids say it. Pure."""

import base64
import binascii
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import blake2b

from incident_service.core.errors import Malformed

SHAPE = struct.Struct(">qqq")
CHECK_BYTES = 6
# Instants are written in seconds, and an event may be noted a little after its instant.
MARGIN = timedelta(hours=1)
LAST_SECOND = 253_402_300_799


class LastEventIdUnreadable(Malformed):
    """`Last-Event-ID` is not an id that this stream gave out; start again without it."""


class Lost(StrEnum):
    """Why a stream cannot be resumed.

    `too_old`: what followed may have been deleted meanwhile. `unknown`: the database has not come
    that far, so it is another one, or an older copy.
    """

    TOO_OLD = "too_old"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where an event stands in the order of all: its transaction, and its number therein."""

    xact: int
    position: int


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place up to which everything was told, and when that was so."""

    place: Place
    at: datetime


def encode(cursor: Cursor) -> str:
    """Write it as an opaque text, with a check sum."""
    seconds = int(cursor.at.timestamp())
    packed = SHAPE.pack(cursor.place.xact, cursor.place.position, seconds)
    return base64.urlsafe_b64encode(packed + check(packed)).decode()


def decode(text: str) -> Cursor:
    """Read it.

    Raises:
        LastEventIdUnreadable: it was not made by `encode`.
    """
    try:
        raw = base64.b64decode(text, b"-_", validate=True)
        packed, found = raw[: SHAPE.size], raw[SHAPE.size :]
        xact, position, seconds = SHAPE.unpack(packed)
    except (ValueError, binascii.Error, struct.error) as error:
        raise LastEventIdUnreadable from error
    is_possible = xact >= 0 and position >= 0 and 0 <= seconds <= LAST_SECOND
    if found != check(packed) or not is_possible:
        raise LastEventIdUnreadable
    return Cursor(Place(xact, position), datetime.fromtimestamp(seconds, UTC))


def check(packed: bytes) -> bytes:
    """Return what tells an id from one that was made up or cut."""
    return blake2b(packed, digest_size=CHECK_BYTES, person=b"change stream").digest()


def why_lost(
    cursor: Cursor, *, now: datetime, kept: timedelta | None, last_xact: int
) -> Lost | None:
    """Say why one cannot go on after the cursor; None: one can.

    `kept` is how long the events of closed incidents are kept, None: for ever. `last_xact` is the
    newest transaction of the database.
    """
    if cursor.place.xact > last_xact:
        return Lost.UNKNOWN
    if kept is not None and cursor.at < now - kept + min(MARGIN, kept / 2):
        return Lost.TOO_OLD
    return None
