"""Read the body of a webhook: bytes from the network, within bounds, unpacked."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping

from starlette.requests import ClientDisconnect

from incident_service.alerts.lenient_json import BOM
from incident_service.alerts.limits import Limits
from incident_service.core.errors import Incomplete, Malformed, TooLarge, TooSlow, UnsupportedMedia

# zlib's window sizes: 47 recognises gzip and zlib by itself, -15 is deflate without a header,
# which some senders mean by "deflate".
WINDOWS: Mapping[str, tuple[int, ...]] = {"gzip": (47,), "x-gzip": (47,), "deflate": (47, -15)}
PIECE_BYTES = 64 * 1024


class NotUnpacked(Malformed):
    """The body cannot be unpacked: its compressed data is damaged or cut off."""


class UnknownEncoding(UnsupportedMedia):
    """Send the body as it is, or with `Content-Encoding: gzip` or `deflate`."""

    accepted: Mapping[str, str] = {"Accept-Encoding": "gzip, deflate, identity"}


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
    """Decompress with the first window that fits, up to `limit` bytes of output.

    It is measured before any of it is kept: what unpacks to too much costs no memory.
    """
    for window in windows:
        try:
            size = sum(map(len, in_pieces(data, window, limit)))
        except zlib.error:
            continue
        if size > limit:
            raise too_large(limit)
        engine = zlib.decompressobj(window)
        plain = engine.decompress(data, size + 1)
        if engine.eof:
            return plain
    raise NotUnpacked


def in_pieces(data: bytes, window: int, limit: int) -> Iterator[bytes]:
    """Decompress piece by piece, until more than `limit` bytes have come out."""
    engine = zlib.decompressobj(window)
    rest, size = data, 0
    while size <= limit and not engine.eof:
        piece = engine.decompress(rest, PIECE_BYTES)
        rest = engine.unconsumed_tail
        if not piece and not rest:
            return
        size += len(piece)
        yield piece
