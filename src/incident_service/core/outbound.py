"""The only way out to addresses that users choose: one guarded HTTP client.

A name is resolved once, its addresses are checked, and the connection goes to the very address
that was checked: a second look-up could give another answer (DNS rebinding). The `Host` header
and the certificate are still those of the name.
"""

import asyncio
import base64
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import unquote_to_bytes

import httpx

from incident_service.core.addresses import Address, refusal
from incident_service.core.spans import current_trace
from incident_service.settings import Network

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Returns the addresses of a host, in the order to try them. Raises OSError."""

ANSWER_LIMIT = 64 * 1024
ADDRESSES_TRIED = 4
CONNECT_S = 4.0
HIGHEST_PORT = 65_535


class OutboundError(Exception):
    """A request that did not come to an answer; the message names no secret of the URL."""


class OutboundRefused(OutboundError):
    """The address is not one that the service calls; trying again would not help."""


class OutboundFailed(OutboundError):
    """The network or the receiver failed; trying again may help."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: `headers` by lower-case name, and at most 64 KiB of the body."""

    status: int
    headers: Mapping[str, str]
    body_excerpt: str


async def resolve_by_system(host: str, port: int) -> list[str]:
    """Ask the system's resolver; it orders the addresses by how well they are reachable."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Outbound:
    """Posts to public addresses, and to private ones within `allow`.

    The bare transport, not httpx's client: no redirects, no proxy from the environment, no
    cookies, no netrc. It keeps no connection either: one that was verified for a name must not
    serve another name at the same address.
    """

    def __init__(
        self,
        allow: Sequence[Network] = (),
        *,
        resolve: Resolve = resolve_by_system,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._allow = allow
        self._resolve = resolve
        self._transport = transport or make_transport()

    async def post(
        self, url: str, *, content: bytes, headers: Mapping[str, str], timeout_s: float = 10.0
    ) -> Answer:
        """Post `content`; the look-up, the request and the answer share `timeout_s`.

        Raises:
            OutboundRefused: the URL, or every address of its host, is not allowed.
            OutboundFailed: no answer, or not in time.
        """
        target = read_url(url)
        try:
            async with asyncio.timeout(timeout_s):
                addresses = await self._checked_addresses(target)
                return await self._post_to_first(addresses, target, content, headers)
        except TimeoutError as error:
            raise OutboundFailed(f"No answer within {timeout_s:g} s.") from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise OutboundFailed(described(error)) from error

    async def aclose(self) -> None:
        """Let go of what is open."""
        await self._transport.aclose()

    async def _checked_addresses(self, target: httpx.URL) -> list[Address]:
        host = target.raw_host.decode("ascii")
        try:
            found = [ip_address(text) for text in await self._resolve(host, port_of(target))]
        except (OSError, UnicodeError) as error:
            raise OutboundFailed("The host's name cannot be resolved.") from error
        refusals = {address: refusal(address, self._allow) for address in found}
        allowed = [address for address, reason in refusals.items() if reason is None]
        if not allowed:
            reasons = ", ".join(sorted({reason for reason in refusals.values() if reason}))
            raise OutboundRefused(
                f"The host has no public address ({reasons or 'none at all'}). "
                "INCIDENT_SERVICE_OUTBOUND_ALLOW can allow its network."
            )
        return allowed[:ADDRESSES_TRIED]

    async def _post_to_first(
        self,
        addresses: Sequence[Address],
        target: httpx.URL,
        content: bytes,
        headers: Mapping[str, str],
    ) -> Answer:
        """Post to the first address that can be connected to: nothing was sent to the others."""
        for address in addresses[:-1]:
            try:
                return await self._post_to(address, target, content, headers)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return await self._post_to(addresses[-1], target, content, headers)

    async def _post_to(
        self,
        address: Address,
        target: httpx.URL,
        content: bytes,
        headers: Mapping[str, str],
    ) -> Answer:
        request = httpx.Request(
            "POST",
            target.copy_with(host=str(address)),
            content=content,
            headers={**trace_headers(), **headers, **fixed_headers(target)},
            extensions={
                "timeout": {"connect": CONNECT_S},
                "sni_hostname": target.raw_host.decode("ascii"),
            },
        )
        response = await self._transport.handle_async_request(request)
        try:
            body = await read_at_most(response, ANSWER_LIMIT)
        finally:
            await response.aclose()
        return Answer(response.status_code, response.headers, body.decode("utf-8", "replace"))


def make_transport() -> httpx.AsyncHTTPTransport:
    """Make the transport to the real network."""
    return httpx.AsyncHTTPTransport(
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=0)
    )


def trace_headers() -> dict[str, str]:
    """Return what tells the receiver which trace the request belongs to."""
    current = current_trace()
    return current.headers if current else {}


def fixed_headers(target: httpx.URL) -> dict[str, str]:
    """Return the headers that follow from the URL, whatever the caller sends beside them."""
    # Not compressed: 64 KiB of it could unfold to far more.
    headers = {"accept-encoding": "identity", "host": target.netloc.decode("ascii")}
    if target.userinfo:
        credentials = base64.b64encode(unquote_to_bytes(target.userinfo)).decode()
        headers["authorization"] = f"Basic {credentials}"
    return headers


async def read_at_most(response: httpx.Response, limit: int) -> bytes:
    """Read the body's first `limit` bytes and leave the rest."""
    assert isinstance(response.stream, httpx.AsyncByteStream)
    body = bytearray()
    async for part in response.stream:
        body += part
        if len(body) >= limit:
            break
    return bytes(body[:limit])


def read_url(url: str) -> httpx.URL:
    """Read an absolute HTTP URL.

    Raises:
        OutboundRefused: it is none.
    """
    try:
        target = httpx.URL(url)
        host = target.host  # decodes what begins with `xn--`
    except (httpx.InvalidURL, ValueError) as error:
        raise OutboundRefused("The URL cannot be read.") from error
    if target.scheme not in ("http", "https") or not host:
        raise OutboundRefused("The URL must start with http:// or https:// and name a host.")
    if target.port is not None and not 0 < target.port <= HIGHEST_PORT:
        raise OutboundRefused("The URL names a port that there is not.")
    return target


def port_of(target: httpx.URL) -> int:
    """Return the port that the URL means."""
    return target.port or (443 if target.scheme == "https" else 80)


def described(error: Exception) -> str:
    """Say what happened in words that hold nothing of the URL."""
    match error:
        case httpx.ConnectTimeout():
            return "The receiver did not accept a connection in time."
        case httpx.ConnectError():
            return f"The receiver cannot be connected to: {error}"
        case _:
            return f"The exchange with the receiver broke off ({type(error).__name__})."
