"""Read instants as senders write them. Pure; what cannot be read is None, never an error."""

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

# Senders write "unset" as year 1 (Go) or 1970 (Unix): before the first year.
from incident_service.web.fields import FIRST_YEAR, LAST_YEAR

FORMAT = re.compile(
    r"""
    (\d{4})-(\d\d)-(\d\d)                               # a date alone is its midnight
    (?: [Tt\ ] (\d\d):(\d\d) (?: :(\d\d) (?:[.,](\d+))? )?
        \s? (Z|z|[+-]\d\d:?[0-5]\d)? )?                 # without an offset: UTC
    """,
    re.VERBOSE | re.ASCII,
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_S = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC).timestamp()
LAST_S = datetime(LAST_YEAR, 1, 1, tzinfo=UTC).timestamp()
LATEST_S_NOT_MS = 1e11
UNIX_TEXT = re.compile(r"\d{1,16}(\.\d+)?", re.ASCII)
# What is longer is no instant, and not worth remembering either.
LONGEST = 64


def read(value: object) -> datetime | None:
    """Read RFC 3339 text, or a Unix time in seconds or milliseconds; digits below 1 µs are cut."""
    if isinstance(value, str):
        return read_text(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return read_unix(value)
    return None


def read_text(text: str) -> datetime | None:
    """Read RFC 3339, with any precision and offset; close relatives of it are accepted too.

    So is a Unix time as text: senders that fill in templates write numbers so.
    """
    return read_short_text(text) if len(text) <= LONGEST else None


@lru_cache(maxsize=4096)
def read_short_text(text: str) -> datetime | None:
    """Read an instant; the same few come again and again."""
    if UNIX_TEXT.fullmatch(text):
        return read_unix(float(text))
    found = FORMAT.fullmatch(text.strip())
    if found is None or not FIRST_YEAR <= int(found[1]) <= LAST_YEAR:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    microsecond = int((found[7] or "")[:6].ljust(6, "0"))
    try:
        zone = read_offset(found[8])
        local = datetime(year, month, day, hour, minute, second, microsecond, zone)
    except ValueError:  # 30 February, 24:00, a leap second, an offset of more than a day
        return None
    return local.astimezone(UTC)


def read_offset(text: str | None) -> timezone:
    """Read `Z`, `+02:00` or `+0200`."""
    if text in (None, "Z", "z"):
        return UTC
    assert text is not None
    size = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return timezone(-size if text[0] == "-" else size)


def read_unix(number: float) -> datetime | None:
    """Read seconds or, when that would be too far away, milliseconds since 1970."""
    seconds = number if abs(number) < LATEST_S_NOT_MS else number / 1000
    return EPOCH + timedelta(seconds=seconds) if FIRST_S <= seconds < LAST_S else None


def is_go_zero(value: object) -> bool:
    """Say whether this is Go's unset instant, the beginning of year 1, in any time zone."""
    return isinstance(value, str) and value.startswith(("0001-01-01T", "0000-12-31T"))
