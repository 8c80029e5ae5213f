import asyncio
import gzip
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_network

import httpx
import pytest

from incident_service.core.clock import monotonic_s
from incident_service.core.outbound import (
    ANSWER_LIMIT,
    Answer,
    Outbound,
    OutboundFailed,
    OutboundRefused,
)
from incident_service.core.stopping import stops_within

LOOPBACK = [ip_network("127.0.0.0/8")]
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Names:
    """A resolver that gives one answer after the other, and counts the questions."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        if not self.answers:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return self.answers.pop(0)


class Net:
    """A network in which every address answers; remembers what reached it."""

    def __init__(self, answer: httpx.Response | None = None, *, dead: tuple[str, ...] = ()) -> None:
        self.answer = answer or httpx.Response(200, text="taken")
        self.dead = dead
        self.requests: list[httpx.Request] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.url.host in self.dead:
            raise httpx.ConnectError("no route")
        return self.answer


async def post(url: str, names: Names, net: Net) -> Answer:
    outbound = Outbound(resolve=names, transport=httpx.MockTransport(net))
    return await outbound.post(url, content=b"{}", headers={"x-test": "1"})


@asynccontextmanager
async def server(serve: Serve, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """A real server on loopback."""
    listening = await asyncio.start_server(serve, host, port)
    try:
        yield f"{host}:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()


def saying(answer: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    return serve


async def test_the_connection_goes_to_the_address_that_was_checked():
    names, net = Names(["93.184.216.34"], ["127.0.0.1"]), Net()

    answer = await post("https://pager.example:8443/hook?a=1", names, net)

    assert answer == Answer(200, net.answer.headers, "taken")
    assert names.asked == ["pager.example"]
    assert str(net.requests[0].url) == "https://93.184.216.34:8443/hook?a=1"


async def test_the_receiver_is_still_addressed_by_its_name():
    net = Net()

    await post("https://pager.example:8443/hook", Names(["93.184.216.34"]), net)

    assert net.requests[0].headers["host"] == "pager.example:8443"
    assert net.requests[0].extensions["sni_hostname"] == "pager.example"


async def test_an_international_name_is_resolved_in_its_ascii_form():
    names = Names(["93.184.216.34"])

    await post("https://bücher.example/", names, Net())

    assert names.asked == ["xn--bcher-kva.example"]


async def test_a_name_with_an_ipv6_address_is_reached():
    net = Net()

    await post("http://pager.example/", Names(["2606:4700::1111"]), net)

    assert str(net.requests[0].url) == "http://[2606:4700::1111]/"


async def test_a_name_with_private_addresses_only_is_refused_before_anything_is_sent():
    net = Net()

    with pytest.raises(OutboundRefused, match="a loopback address, a private or reserved address"):
        await post("http://inside.example/", Names(["10.0.0.1", "::1"]), net)

    assert net.requests == []


async def test_private_addresses_beside_a_public_one_are_not_called():
    net = Net(dead=("93.184.216.34",))

    with pytest.raises(OutboundFailed):
        await post("http://both.example/", Names(["10.0.0.1", "93.184.216.34"]), net)

    assert [request.url.host for request in net.requests] == ["93.184.216.34"]


async def test_the_next_address_is_tried_when_one_takes_no_connection():
    net = Net(dead=("2606:4700::1111",))

    answer = await post("http://pager.example/", Names(["2606:4700::1111", "1.1.1.1"]), net)

    assert answer.status == 200


async def test_a_request_that_broke_off_is_not_repeated_at_another_address():
    class Breaking(Net):
        async def __call__(self, request: httpx.Request) -> httpx.Response:
            self.requests.append(request)
            raise httpx.ReadError("reset")

    net = Breaking()

    with pytest.raises(OutboundFailed):
        await post("http://pager.example/", Names(["1.0.0.1", "1.1.1.1"]), net)

    assert len(net.requests) == 1


async def test_a_name_that_does_not_resolve_may_do_so_later():
    with pytest.raises(OutboundFailed):
        await post("http://gone.example/", Names(), Net())


@pytest.mark.parametrize(
    "url",
    [
        "",
        "pager.example",
        "ftp://pager.example/",
        "http://",
        "http:///x",
        "//x",
        "http://[::1",
        "http://a:b/",
        "http://pager.example:0/",
        "http://pager.example:65536/",
        "http://xn--/",
        "http://0177.0.0.1/",
    ],
)
async def test_what_is_no_http_url_is_refused(url):
    with pytest.raises(OutboundRefused):
        await post(url, Names(["1.1.1.1"]), Net())


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "0",
        "0.0.0.0",
        "localhost",
        "localhost.",
        "\uff11\uff12\uff17\u30020\u30020\u3002\uff11",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::127.0.0.1]",
        "[::127.0.0.1]",
    ],
)
async def test_no_spelling_of_this_machine_is_called(host):
    net = Net()
    outbound = Outbound(transport=httpx.MockTransport(net))

    with pytest.raises((OutboundRefused, OutboundFailed)):
        await outbound.post(f"http://{host}/", content=b"", headers={})

    assert net.requests == []


@pytest.mark.parametrize(
    "address",
    ["0.0.0.0", "127.0.0.1", "::", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"],
)
async def test_no_name_leads_to_this_machine(address):
    net = Net()

    with pytest.raises(OutboundRefused):
        await post("http://rebound.example/", Names([address]), net)

    assert net.requests == []


async def test_a_name_that_changes_its_mind_is_connected_to_where_it_was_checked():
    """The resolver's second answer, on the same port, would be an address that is not allowed."""
    heard: list[str] = []

    def saying_where(where: str) -> Serve:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heard.append(where)
            await saying(b"HTTP/1.1 204 x\r\n\r\n")(reader, writer)

        return serve

    names = Names(["127.0.0.2"], ["127.0.0.1"])
    allowed = [ip_network("127.0.0.2/32")]
    async with server(saying_where("checked"), host="127.0.0.2") as address:
        port = int(address.rpartition(":")[2])
        async with server(saying_where("inside"), port=port):
            outbound = Outbound(allowed, resolve=names)
            url = f"http://rebound.example:{port}/"
            first = await outbound.post(url, content=b"", headers={})
            with pytest.raises(OutboundRefused):
                await outbound.post(url, content=b"", headers={})

    assert first.status == 204
    assert heard == ["checked"]
    assert names.asked == ["rebound.example"] * 2


async def test_a_redirect_to_the_inside_is_not_followed():
    net = Net(httpx.Response(302, headers={"location": "http://127.0.0.1/admin"}))

    answer = await post("http://pager.example/", Names(["1.1.1.1"], ["127.0.0.1"]), net)

    assert answer.status == 302
    assert [request.url.host for request in net.requests] == ["1.1.1.1"]


async def test_a_caller_cannot_change_the_host_it_speaks_to():
    net = Net()
    outbound = Outbound(resolve=Names(["1.1.1.1"]), transport=httpx.MockTransport(net))

    await outbound.post("http://pager.example/", content=b"", headers={"host": "other.example"})

    assert net.requests[0].headers.get_list("host") == ["pager.example"]


async def test_credentials_of_the_url_are_sent_as_basic():
    net = Net()

    await post("https://ana:p%3Aw@push.example/", Names(["1.1.1.1"]), net)

    assert net.requests[0].headers["authorization"] == "Basic YW5hOnA6dw=="


async def test_a_redirect_is_an_answer_and_not_followed():
    visits = 0

    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal visits
        visits += 1
        await saying(b"HTTP/1.1 307 x\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n")(
            reader, writer
        )

    async with server(redirect) as address:
        answer = await Outbound(LOOPBACK).post(f"http://{address}/", content=b"{}", headers={})

    assert (answer.status, visits) == (307, 1)


async def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with server(saying(b"HTTP/1.1 204 x\r\n\r\n")) as address:
        answer = await Outbound(LOOPBACK).post(f"http://{address}/", content=b"{}", headers={})

    assert answer.status == 204


async def test_of_an_endless_answer_only_the_beginning_is_read():
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 x\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * 10_000)
                await writer.drain()
        except ConnectionError:
            writer.close()

    async with server(endless) as address:
        answer = await Outbound(LOOPBACK).post(f"http://{address}/", content=b"", headers={})

    assert len(answer.body_excerpt) == ANSWER_LIMIT


async def test_a_receiver_that_drips_its_answer_runs_out_of_time():
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 x\r\nContent-Length: 1000\r\n\r\nx")
        await reader.read()  # until the other side hangs up
        writer.close()

    async with server(drip) as address:
        with pytest.raises(OutboundFailed, match=r"within 0.2 s"):
            await Outbound(LOOPBACK).post(
                f"http://{address}/", content=b"", headers={}, timeout_s=0.2
            )


def never_ending(beginning: bytes, part: bytes, *, every_s: float = 0.0) -> Serve:
    """Answer with `beginning`, and then with the same again and again until nobody listens."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        never = asyncio.Event()
        writer.write(beginning)
        try:
            while not writer.is_closing() and not await stops_within(never, every_s):
                writer.write(part)
                await writer.drain()
        except ConnectionError:
            pass
        writer.close()

    return serve


CHUNKED = b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("beginning", "part"),
    [
        (b"", b"HTTP/1.1 100 x\r\n\r\n"),
        (b"HTTP/1.1 200 x\r\n", b"X-More: y\r\n"),
        (b"HTTP/1.1 200 x\r\nX-Long: ", b"y"),
        (b"HTTP/1.1 200 x\r\nContent-Length: 100000\r\n\r\n", b"y"),
        (CHUNKED, b"1\r\ny\r\n"),
        (CHUNKED, b"1"),
    ],
    ids=["informational", "headers", "header", "body", "chunks", "size of a chunk"],
)
async def test_what_drips_without_end_is_bounded_in_time(beginning, part):
    began_s = monotonic_s()

    async with server(never_ending(beginning, part, every_s=0.02)) as address:
        with pytest.raises(OutboundFailed, match=r"within 0.3 s"):
            await Outbound(LOOPBACK).post(
                f"http://{address}/", content=b"", headers={}, timeout_s=0.3
            )

    assert monotonic_s() - began_s < 3


@pytest.mark.parametrize(
    ("beginning", "part"),
    [
        (b"HTTP/1.1 200 x\r\n", b"X-More: y\r\n" * 1000),
        (b"HTTP/1.1 200 x\r\nX-Long: ", b"y" * 10_000),
        (b"", b"y" * 10_000),
        (CHUNKED, b"1" * 10_000),
    ],
    ids=["headers", "header", "no HTTP", "size of a chunk"],
)
async def test_a_head_without_end_breaks_off_long_before_the_time_is_up(beginning, part):
    async with server(never_ending(beginning, part)) as address:
        with pytest.raises(OutboundFailed, match="broke off"):
            await Outbound(LOOPBACK).post(
                f"http://{address}/", content=b"", headers={}, timeout_s=30
            )


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 x\r\nContent-Length: 99999999999999\r\n\r\n",
        b"HTTP/1.1 200 x\r\nContent-Encoding: gzip\r\n\r\n",
    ],
    ids=["huge", "compressed"],
)
async def test_of_a_huge_answer_only_the_beginning_is_read_and_nothing_is_unpacked(head):
    part = gzip.compress(bytes(10_000_000)) if b"gzip" in head else b"x" * 10_000

    async with server(never_ending(head, part)) as address:
        answer = await Outbound(LOOPBACK).post(f"http://{address}/", content=b"", headers={})

    assert len(answer.body_excerpt) <= ANSWER_LIMIT
    assert not answer.body_excerpt.startswith("\0")


async def test_chunks_without_end_are_read_to_the_limit():
    async with server(never_ending(CHUNKED, b"2710\r\n" + b"x" * 10_000 + b"\r\n")) as address:
        answer = await Outbound(LOOPBACK).post(f"http://{address}/", content=b"", headers={})

    assert answer.body_excerpt == "x" * ANSWER_LIMIT


async def test_the_look_up_of_a_name_shares_the_time():
    async def hangs(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    with pytest.raises(OutboundFailed, match=r"within 0.1 s"):
        await Outbound(resolve=hangs).post(
            "http://pager.example/", content=b"", headers={}, timeout_s=0.1
        )


async def test_tls_asks_for_the_name_and_not_for_the_address():
    greeting = asyncio.get_running_loop().create_future()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        greeting.set_result(await reader.read(4096))
        writer.close()

    async with server(listen) as address:
        port = address.rpartition(":")[2]
        outbound = Outbound(LOOPBACK, resolve=Names(["127.0.0.1"]))
        with pytest.raises(OutboundFailed):
            await outbound.post(f"https://pager.example:{port}/", content=b"", headers={})

    assert b"pager.example" in await greeting


async def test_nothing_listening_is_a_failure_that_may_pass():
    async with server(saying(b"")) as address:
        pass

    with pytest.raises(OutboundFailed):
        await Outbound(LOOPBACK).post(f"http://{address}/", content=b"", headers={})
