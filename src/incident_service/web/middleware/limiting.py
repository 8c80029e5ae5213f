"""Pure ASGI middleware: nobody takes the whole management API for themselves.

Each process counts by itself. Whether a key is valid shows when it is used, and is remembered: to
ask the database first would cost what the limit is to save. Until then its address pays, so
made-up keys win nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from incident_service.core import tokens
from incident_service.core.clock import monotonic_s
from incident_service.observability import metrics
from incident_service.settings import Settings
from incident_service.web.middleware.access_log import INGEST
from incident_service.web.middleware.rate_limit import Buckets, Rate, Taken
from incident_service.web.problems import problem

LIMITED = "/v1/"
# What others must get rid of whenever they have it: senders, and providers with their reports.
NEVER_LIMITED = (INGEST, "/v1/callbacks/")
NETWORK_BITS = 64
UNAUTHORIZED = 401


@dataclass(frozen=True, slots=True)
class Caller:
    """Who pays for a request, and the digest of the key that came with it, if any."""

    by: str
    name: str
    key_digest: str | None


class Limits:
    """Remembers how much each valid key, and each address without one, has asked for."""

    def __init__(self, rate: Rate, monotonic: Callable[[], float] = monotonic_s) -> None:
        self.rate = rate
        self._keys = Buckets(rate)
        self._addresses = Buckets(rate)
        self._monotonic = monotonic

    def find_caller(self, scope: Scope) -> Caller:
        """Say who pays: a key that was valid last time, else the address."""
        scheme, _, key = Headers(scope=scope).get("authorization", "").partition(" ")
        digest = tokens.digest(key.strip()) if scheme.lower() == "bearer" else None
        if digest and digest in self._keys:
            return Caller("key", digest, digest)
        return Caller("address", network_of((scope.get("client") or ("", 0))[0]), digest)

    def take(self, caller: Caller) -> Taken:
        """Take a token of the caller's."""
        buckets = self._keys if caller.by == "key" else self._addresses
        return buckets.take(caller.name, self._monotonic())

    def learn(self, caller: Caller, status: int, *, is_valid: bool) -> None:
        """Remember from an answer whether the key was valid."""
        if caller.by == "key" and status == UNAUTHORIZED:
            self._keys.forget(caller.name)
        elif caller.by == "address" and caller.key_digest and is_valid:
            self._keys.take(caller.key_digest, self._monotonic())


def limits_of(settings: Settings) -> Limits | None:
    """Return the limits that the settings ask for; None: none."""
    if not settings.api_requests_per_second:
        return None
    return Limits(Rate(settings.api_requests_per_second, settings.api_request_burst))


def network_of(host: str) -> str:
    """Return the address, or the network of an IPv6 one, whose owner has all addresses in it."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if not isinstance(address, IPv6Address) or address.ipv4_mapped:
        return host
    return str(int(address) >> (128 - NETWORK_BITS))


class RateLimit:
    """Answers 429 to whoever asks too much, and says on each answer how much is left."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        limits: Limits | None = scope["app"].state.limits if is_limited(scope) else None
        if limits is None:
            await self.app(scope, receive, send)
            return
        caller = limits.find_caller(scope)
        taken = limits.take(caller)
        said = headers_of(limits.rate, taken)
        if not taken.is_allowed:
            metrics.REQUESTS_LIMITED.labels(caller.by).inc()
            refusal = problem(
                429,
                "too_many_requests",
                f"At most {limits.rate.per_second:g} requests a second, please; try again later.",
                headers=said | {"Retry-After": str(taken.wait_s)},
            )
            await refusal(scope, receive, send)
            return
        state = scope.setdefault("state", {})  # before the scope is copied further in

        async def send_with_limit(message: Message) -> None:
            if message["type"] == "http.response.start":
                limits.learn(caller, message["status"], is_valid="principal" in state)
                MutableHeaders(scope=message).update(said)
            await send(message)

        await self.app(scope, receive, send_with_limit)


def is_limited(scope: Scope) -> bool:
    """Say whether a request is one to the management API."""
    if scope["type"] != "http":
        return False
    path: str = scope["path"]
    return path.startswith(LIMITED) and not path.startswith(NEVER_LIMITED)


def headers_of(rate: Rate, taken: Taken) -> dict[str, str]:
    """Say how much may come at once, how much of it is left, and in how many seconds all of it."""
    return {
        "RateLimit-Limit": str(rate.burst),
        "RateLimit-Remaining": str(taken.remaining),
        "RateLimit-Reset": str(taken.full_in_s),
    }
