"""Read JSON, forgiving whatever leaves its meaning clear. Pure.

The content type is ignored: what is JSON is read as JSON. Nothing here repeats input in an error.
"""

import json
import math
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from incident_service.alerts.limits import DEFAULT
from incident_service.core.errors import Malformed

MAX_DIGITS = 100
BOM = b"\xef\xbb\xbf"
NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")


class NotJson(Malformed):
    """The body is not JSON."""


def loads(data: bytes, depth: int = DEFAULT.depth) -> Any:  # noqa: ANN401 - raw JSON
    """Read a JSON document, forgiving whatever leaves its meaning clear.

    Bytes that are not UTF-8 become U+FFFD. NaN, Infinity and numbers too long to be meant become
    null. Line breaks and tabs may stand in texts. Of a repeated key the last one counts.

    Raises:
        NotJson: it is empty, cut off, nested too deeply, or not JSON in UTF-8.
    """
    text = data.removeprefix(BOM).decode("utf-8", "replace")
    if not text.strip():
        raise NotJson("The body is empty.")
    require_depth(data, depth)
    try:
        return DECODER.decode(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise NotJson(f"The body is not JSON: {error.msg} ({place}).") from error


def require_depth(data: bytes, most: int) -> None:
    """Refuse what is nested too deeply: parsers recurse, and so does who writes it out again.

    Raises:
        NotJson: it is.
    """
    few = data.count(b"{") + data.count(b"[") <= most
    if not few and any(depth > most for depth in depths(data)):
        raise NotJson(f"The JSON is nested more than {most} levels deep.")


def depths(data: bytes) -> Iterator[int]:
    """Yield how deep each bracket outside of strings leads."""
    unescaped = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    outside_strings = b"".join(unescaped.split(b'"')[::2])
    brackets = outside_strings.translate(None, NOT_BRACKETS)
    return accumulate(1 if bracket in b"[{" else -1 for bracket in brackets)


def whole_number(digits: str) -> int | None:
    """Read an integer; Python refuses very long ones, and takes its time before that."""
    return int(digits) if len(digits) <= MAX_DIGITS else None


def number(digits: str) -> float | None:
    """Read a number; one that overflows is null, because nothing can store infinity."""
    value = float(digits)
    return value if math.isfinite(value) else None


def no_number(_name: str) -> None:
    """Read NaN and Infinity, which are not JSON, as null."""


DECODER = json.JSONDecoder(
    parse_int=whole_number, parse_float=number, parse_constant=no_number, strict=False
)
