"""Headers on each answer that keep browsers and caches from doing more with it than was meant.

They cost the hot path nothing: they are made once, and what has its own keeps it.
"""

from collections.abc import Iterable

from starlette.types import Message, Scope, Send

Header = tuple[bytes, bytes]
ALWAYS: list[Header] = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
]
# Once the service is reached by https, nobody has to be asked to use it.
OVER_HTTPS: list[Header] = [(b"strict-transport-security", b"max-age=31536000")]
NOT_KEPT: Header = (b"cache-control", b"no-store")
# With an ETag, a copy may be kept, for its owner, and has to be asked about each time.
ASKED_ABOUT: Header = (b"cache-control", b"private, no-cache")
API = "/v1/"


def guards_of(base_url: str) -> list[Header]:
    """Return what every answer has, by how people reach the service."""
    return ALWAYS + OVER_HTTPS if base_url.startswith("https://") else ALWAYS


def missing(guards: Iterable[Header], headers: Iterable[Header], path: str) -> list[Header]:
    """Return the guards that an answer lacks."""
    present = {name.lower() for name, _value in headers}
    wanted = list(guards)
    if path.startswith(API):
        wanted.append(ASKED_ABOUT if b"etag" in present else NOT_KEPT)
    return [guard for guard in wanted if guard[0] not in present]


def guarded(scope: Scope, send: Send, guards: Iterable[Header]) -> Send:
    """Make a `send` that adds the guards to the answer."""

    async def send_guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            message = {**message, "headers": headers + missing(guards, headers, scope["path"])}
        await send(message)

    return send_guarded
