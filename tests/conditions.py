"""The operations of the OpenAPI document, and which of them know conditional headers."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.openapi import document
from tests.teams.test_audit import CHANGING
from tests.teams.test_permissions import REQUESTS, Request, World

DOCUMENT = document()
CONDITIONS = ("If-Match",)
# They have no address that GET could be asked for.
SEEN_BY_PUT = {"put_member", "delete_member"}
SEEN_BY_POST = {"delete_override"}
ASKED: dict[str, Callable[[World], Awaitable[Request]]] = REQUESTS | CHANGING


@dataclass(frozen=True)
class Operation:
    """An operation of the document."""

    name: str
    method: str
    path: str
    content: dict[str, Any]

    def headers(self) -> list[dict[str, Any]]:
        given = self.content.get("parameters", ())
        return [each for each in given if each["name"] in CONDITIONS]

    def is_read_with_tag(self) -> bool:
        answer = self.content["responses"].get("200", {})
        return self.method == "get" and "ETag" in answer.get("headers", {})

    def has(self, header: str) -> bool:
        return header in [each["name"] for each in self.headers()]


def all_operations() -> Iterator[Operation]:
    for path, item in DOCUMENT["paths"].items():
        for method, content in item.items():
            yield Operation(content["operationId"], method, path, content)


OPERATIONS = {each.name: each for each in all_operations() if each.path.startswith("/v1/")}
READS = [each.name for each in OPERATIONS.values() if each.is_read_with_tag()]
WRITES = [each.name for each in OPERATIONS.values() if each.has("If-Match")]
THINGS = {OPERATIONS[name].path for name in READS}


def url_of_thing(operation: Operation, url: str) -> str:
    """The address at which GET shows what an operation is about."""
    path = operation.path
    while path not in THINGS:
        path, url = path.rpartition("/")[0], url.rpartition("/")[0]
    return url


async def tag_seen(world: World, operation: Operation, request: Request) -> str:
    """The tag of what an operation is about, as it is now."""
    _, url, _ = request
    if operation.name in SEEN_BY_PUT:
        seen = await world.api.put(url, json={"role": "observer"})
    else:
        seen = await world.api.get(url_of_thing(operation, url))
    assert seen.is_success, seen.text
    return seen.headers["etag"]
