"""Pure ASGI middleware: HEAD wherever GET is, and OPTIONS for every path there is."""

from collections import defaultdict
from collections.abc import Sequence

from fastapi.routing import iter_route_contexts
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# In a request's scope: only the head of the answer is wanted, so one without an end ends with it.
ONLY_HEAD = "incident_service.only_head"


class Methods:
    """Answers HEAD as GET without its body, and OPTIONS with what a path allows, to anybody.

    It belongs outside of what asks who is calling, and of what counts.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        method = scope["method"] if scope["type"] == "http" else None
        if method == "HEAD":
            as_get = {**scope, "method": "GET", ONLY_HEAD: True}
            await self.app(as_get, receive, without_body(send))
            return
        methods = find_methods(scope["app"].routes, scope["path"]) if method == "OPTIONS" else set()
        if methods and "OPTIONS" not in methods:
            answer = Response(status_code=204, headers={"Allow": listed(methods)})
            await answer(scope, receive, send)
            return
        await self.app(scope, receive, send)


def find_methods(routes: Sequence[BaseRoute], path: str) -> set[str]:
    """Return the methods that a path has routes for; none when it is unknown.

    Of templates that match, the one counts that says most: `preview` before `{schedule_id}`.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for route in iter_route_contexts(routes):
        if route.path and route.methods and route.path_regex.match(path):
            found[route.path] |= route.methods
    if not found:
        return set()
    return found[min(found, key=lambda template: (template.count("{"), -len(template)))]


def listed(methods: set[str]) -> str:
    """Write methods as `Allow` lists them, with those that every path has."""
    implied = {"OPTIONS", "HEAD"} if "GET" in methods else {"OPTIONS"}
    return ", ".join(sorted(methods | implied))


def without_body(send: Send) -> Send:
    """Keep the head of an answer, whose `Content-Length` is that of the body it would have."""

    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return send_head
