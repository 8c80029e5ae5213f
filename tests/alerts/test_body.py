import asyncio
import gzip
import json
import tracemalloc
import zlib
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import ClientDisconnect

from incident_service.alerts.body import NotUnpacked, UnknownEncoding, read
from incident_service.alerts.lenient_json import NotJson, loads
from incident_service.alerts.limits import DEFAULT, Limits
from incident_service.core.errors import Incomplete, TooLarge, TooSlow

TEXT = b'{"alerts": []}'
SMALL = Limits(bytes_sent=100, bytes_unpacked=200, wait_s=5)
NUMBERS = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def raw_deflate(data: bytes) -> bytes:
    engine = zlib.compressobj(wbits=-15)
    return engine.compress(data) + engine.flush()


async def read_packed(data: bytes, encoding: str, limits: Limits = SMALL) -> bytes:
    return await read(chunks(data), {"content-encoding": encoding}, limits)


async def test_a_body_is_read_whole():
    assert await read(chunks(b"{", b"", b"}"), {}, SMALL) == b"{}"


async def test_a_body_as_long_as_allowed_is_read():
    assert await read(chunks(b"x" * 60, b"x" * 40), {"content-length": "100"}, SMALL) == b"x" * 100


async def test_a_body_announced_as_too_long_is_refused_before_it_is_read():
    taken = []

    async def body() -> AsyncIterator[bytes]:
        taken.append(1)
        yield b"{}"

    with pytest.raises(TooLarge, match="100 bytes"):
        await read(body(), {"content-length": "101"}, SMALL)
    assert taken == []


async def test_a_body_that_turns_out_too_long_is_refused_at_the_limit():
    taken = []

    async def endless() -> AsyncIterator[bytes]:
        while True:
            taken.append(1)
            yield b"x" * 30

    with pytest.raises(TooLarge):
        await read(endless(), {}, SMALL)
    assert len(taken) == 4


async def test_a_body_that_does_not_arrive_is_not_waited_for():
    async def stuck() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    with pytest.raises(TooSlow):
        await read(stuck(), {}, Limits(wait_s=0.01))


async def test_a_sender_that_goes_away_is_not_our_failure():
    async def gone() -> AsyncIterator[bytes]:
        yield b"{"
        raise ClientDisconnect

    with pytest.raises(Incomplete):
        await read(gone(), {}, SMALL)


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("gzip", gzip.compress(TEXT, mtime=0)),
        ("GZIP", gzip.compress(TEXT, mtime=0)),
        ("x-gzip", gzip.compress(TEXT, mtime=0)),
        ("identity, gzip", gzip.compress(TEXT, mtime=0)),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", raw_deflate(TEXT)),
        ("identity", TEXT),
        ("", TEXT),
        ("gzip", TEXT),
        ("gzip", b"\xef\xbb\xbf\n" + TEXT),
        ("deflate", TEXT),
    ],
)
async def test_a_body_is_unpacked_if_it_is_packed(encoding, data):
    body = await read_packed(data, encoding)

    assert loads(body) == {"alerts": []}


@given(data=st.binary(max_size=90))
async def test_whatever_was_packed_comes_out_again(data):
    assert await read_packed(raw_deflate(b"{" + data), "deflate") == b"{" + data
    assert await read_packed(zlib.compress(b"{" + data), "gzip") == b"{" + data


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "gzip, gzip", "gzip, br", "x"])
async def test_an_unknown_packing_is_refused(encoding):
    with pytest.raises(UnknownEncoding):
        await read_packed(TEXT, encoding)


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("gzip", gzip.compress(TEXT, mtime=0)[:-9]),
        ("gzip", gzip.compress(TEXT, mtime=0)[:20] + b"damaged" + gzip.compress(TEXT)[27:]),
        ("gzip", b""),
        ("gzip", b"\x1f\x8b"),
        ("deflate", b"\x00\x01\x02"),
    ],
)
async def test_damaged_packing_is_refused(encoding, data):
    with pytest.raises(NotUnpacked):
        await read_packed(data, encoding)


async def test_a_small_body_that_unpacks_to_a_huge_one_is_refused():
    bomb = gzip.compress(b"[" + b" " * 10_000, mtime=0)

    with pytest.raises(TooLarge, match="200 bytes"):
        await read_packed(bomb, "gzip")


async def test_what_unpacks_to_too_much_takes_no_memory():
    limits = Limits(bytes_unpacked=16 * 1024 * 1024)
    bomb = gzip.compress(b" " * (limits.bytes_unpacked + 1), mtime=0)

    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            await read_packed(bomb, "gzip", limits)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert most < 2 * 1024 * 1024


async def test_a_body_may_unpack_to_just_the_limit():
    packed = zlib.compress(b"x" * 200)

    assert await read_packed(packed, "deflate") == b"x" * 200


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\xef\xbb\xbf{}", {}),
        (b" \n{}\n", {}),
        (b"null", None),
        (b'"caf\xe9"', "caf\ufffd"),
        (b'"\xc3\xa9"', "é"),
        (b'"\\ud83d\\ude80"', "🚀"),
        (b'"\\ud800"', "\ud800"),
        (b'"\\u0000"', "\x00"),
        (b'"line\nbreak\tand tab"', "line\nbreak\tand tab"),
        (b"[NaN, Infinity, -Infinity, 1e999, -1e999]", [None] * 5),
        (b"1.5", 1.5),
        (str(2**70).encode(), 2**70),
        (b"9" * 5000, None),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b'{"[[": "\\"[[[", "]": "\\\\"}', {"[[": '"[[[', "]": "\\"}),
    ],
)
def test_what_leaves_its_meaning_clear_is_read(data, expected):
    assert loads(data) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" \n",
        b"\xef\xbb\xbf",
        b"{",
        b'{"alerts": [{"labels"',
        b"{} trailing",
        b"{}\n{}\n",
        b"{'a': 1}",
        b'{"a": 1,}',
        b"alerts=1",
        b"\x00\xff\x1f",
        TEXT.decode().encode("utf-16"),
        TEXT.decode().encode("utf-16-le"),
        TEXT.decode().encode("utf-32"),
    ],
)
def test_what_is_not_json_is_refused(data):
    with pytest.raises(NotJson):
        loads(data)


def test_the_refusal_says_where_and_repeats_nothing():
    with pytest.raises(NotJson) as refusal:
        loads(b'{"a": 1,\n "b": secret}')

    assert refusal.value.detail == "The body is not JSON: Expecting value (line 2, column 7)."


@pytest.mark.parametrize("data", [b"[" * 100_000, b'{"a":' * 100_000, b"[" * 300 + b"]" * 300])
def test_deep_nesting_is_refused_without_recursion(data):
    with pytest.raises(NotJson, match="nested"):
        loads(data)


def test_nesting_that_somebody_may_mean_is_read():
    document = loads(b"[" * DEFAULT.depth + b"]" * DEFAULT.depth)

    assert json.dumps(document) == "[" * DEFAULT.depth + "]" * DEFAULT.depth


def test_brackets_in_texts_are_not_nesting():
    text = "[" * 1000 + '\\"{'

    assert loads(json.dumps({text: [text]}).encode()) == {text: [text]}


@given(JSON)
def test_every_json_document_is_read_as_it_was_written(document):
    assert loads(json.dumps(document).encode()) == document


@given(st.binary())
def test_any_bytes_are_read_or_refused(data):
    try:
        loads(data)
    except NotJson as refusal:
        detail = refusal.detail
    else:
        detail = ""

    assert len(detail) < 200
