"""Read the body of a webhook: bytes from the network, within bounds, to a JSON document.

The content type is ignored: what is JSON is read as JSON. Nothing here repeats input in an error.
"""

import asyncio
import json
import math
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from starlette.requests import ClientDisconnect

from incident_service.core.errors import Malformed, TooLarge, TooSlow, UnsupportedMedia

MAX_DEPTH = 256
MAX_DIGITS = 100
BOM = b"\xef\xbb\xbf"
NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")

# zlib's window sizes: 47 recognises gzip and zlib by itself, -15 is deflate without a header,
# which some senders mean by "deflate".
WINDOWS: Mapping[str, tuple[int, ...]] = {"gzip": (47,), "x-gzip": (47,), "deflate": (47, -15)}


class NotJson(Malformed):
    """The body is not JSON."""


class Incomplete(Malformed):
    """The connection ended before the body did."""


class NotUnpacked(Malformed):
    """The body cannot be unpacked: its compressed data is damaged or cut off."""


class UnknownEncoding(UnsupportedMedia):
    """Send the body as it is, or with `Content-Encoding: gzip` or `deflate`."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a sender may send, on the wire and unpacked, and how long that may take."""

    bytes_sent: int = 16 * 1024 * 1024
    bytes_unpacked: int = 64 * 1024 * 1024
    wait_s: float = 30.0


async def read(chunks: AsyncIterator[bytes], headers: Mapping[str, str], limits: Limits) -> bytes:
    """Read and unpack a body.

    Raises:
        TooLarge: it has more bytes than allowed; known from the headers, nothing is read.
        TooSlow: it did not arrive in time.
        Incomplete: the sender went away.
        UnknownEncoding: it is packed in a way that is not known here.
        NotUnpacked: the packed data is damaged.
    """
    windows = read_encoding(headers.get("content-encoding", ""))
    announced = headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limits.bytes_sent:
        raise too_large(limits.bytes_sent)
    data = await receive(chunks, limits)
    if not windows or is_plain(data):
        return data
    return await asyncio.to_thread(unpack, data, windows, limits.bytes_unpacked)


async def receive(chunks: AsyncIterator[bytes], limits: Limits) -> bytes:
    """Collect the chunks of a body; see `read`."""
    data = bytearray()
    try:
        async with asyncio.timeout(limits.wait_s):
            async for chunk in chunks:
                data += chunk
                if len(data) > limits.bytes_sent:
                    raise too_large(limits.bytes_sent)
    except TimeoutError as error:
        raise TooSlow from error
    except ClientDisconnect as error:
        raise Incomplete from error
    return bytes(data)


def too_large(limit: int) -> TooLarge:
    """Say how much is allowed, and what Alertmanager can do about it."""
    return TooLarge(f"The body may have at most {limit} bytes; see max_alerts in Alertmanager.")


def read_encoding(header: str) -> tuple[int, ...]:
    """Return the zlib windows that may fit a `Content-Encoding`; none when it is not packed."""
    names = [name.strip().lower() for name in header.split(",")]
    packed = [name for name in names if name not in ("", "identity")]
    if not packed:
        return ()
    if len(packed) > 1 or packed[0] not in WINDOWS:
        raise UnknownEncoding
    return WINDOWS[packed[0]]


def is_plain(data: bytes) -> bool:
    """Say whether this is JSON already: some proxies unpack a body and leave the header.

    Packed JSON never begins with a bracket, in any of the formats.
    """
    return data[:64].removeprefix(BOM).lstrip()[:1] in (b"{", b"[")


def unpack(data: bytes, windows: tuple[int, ...], limit: int) -> bytes:
    """Decompress with the first window that fits, up to `limit` bytes of output."""
    for window in windows:
        engine = zlib.decompressobj(window)
        try:
            plain = engine.decompress(data, limit + 1)
        except zlib.error:
            continue
        if len(plain) > limit:
            raise too_large(limit)
        if engine.eof:
            return plain
    raise NotUnpacked


def loads(data: bytes) -> Any:  # noqa: ANN401 - raw JSON
    """Read a JSON document, forgiving whatever leaves its meaning clear.

    Bytes that are not UTF-8 become U+FFFD. NaN, Infinity and numbers too long to be meant become
    null. Line breaks and tabs may stand in texts. Of a repeated key the last one counts.

    Raises:
        NotJson: it is empty, cut off, nested too deeply, or not JSON in UTF-8.
    """
    text = data.removeprefix(BOM).decode("utf-8", "replace")
    if not text.strip():
        raise NotJson("The body is empty.")
    # The parser recurses, and so does whoever writes the document out again.
    if any(depth > MAX_DEPTH for depth in depths(data)):
        raise NotJson(f"The JSON is nested more than {MAX_DEPTH} levels deep.")
    try:
        return DECODER.decode(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise NotJson(f"The body is not JSON: {error.msg} ({place}).") from error


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
