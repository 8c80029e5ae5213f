"""Say which headers answers have, besides what a route has said of its own. Pure."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from incident_service.web.openapi.errors import RETRY_AFTER, SCOPE

Node = dict[str, Any]
COUNT = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
COMPONENTS: Mapping[str, Node] = {
    "RequestId": {
        "description": "The caller's own `X-Request-ID`, or one that was made: as it is logged.",
        "schema": {"type": "string"},
    },
    "RateLimitLimit": {"description": "Requests that may come at once.", "schema": COUNT},
    "RateLimitRemaining": {"description": "How many are left of them.", "schema": COUNT},
    "RateLimitReset": {"description": "Seconds until all are there again.", "schema": COUNT},
    "Link": {
        "description": 'The next page, with `rel="next"`; missing on the last one.',
        "schema": {"type": "string"},
    },
    "IdempotencyReplayed": {
        "description": "`true`: the answer was given before, and nothing was done now.",
        "schema": {"type": "string"},
    },
    "RetryAfter": RETRY_AFTER,
}
LIMITS = {
    "RateLimit-Limit": "RateLimitLimit",
    "RateLimit-Remaining": "RateLimitRemaining",
    "RateLimit-Reset": "RateLimitReset",
}


def add_headers(operation: Node, schemas: Mapping[str, Node]) -> None:
    """Add to each answer of an operation what it has in its head."""
    for status, response in operation["responses"].items():
        named = headers_of(operation, int(status), response, schemas)
        added = {name: {"$ref": f"#/components/headers/{which}"} for name, which in named}
        if added:
            response["headers"] = added | response.get("headers", {})


def headers_of(
    operation: Node, status: int, response: Node, schemas: Mapping[str, Node]
) -> Iterator[tuple[str, str]]:
    """Yield the names of headers, and of the components that describe them."""
    is_success = status < HTTPStatus.MULTIPLE_CHOICES
    takes_key = "Idempotency-Key" in parameters_of(operation)
    if is_success or status == HTTPStatus.INTERNAL_SERVER_ERROR:
        yield "X-Request-ID", "RequestId"
    if SCOPE in operation and (is_success or status == HTTPStatus.TOO_MANY_REQUESTS):
        yield from LIMITS.items()
    if is_success and is_page(response, schemas):
        yield "Link", "Link"
    if is_success and takes_key:
        yield "Idempotency-Replayed", "IdempotencyReplayed"
    if status == HTTPStatus.CONFLICT and takes_key:
        yield "Retry-After", "RetryAfter"


def parameters_of(operation: Node) -> set[str]:
    """Return the names of its parameters."""
    return {each["name"] for each in operation.get("parameters", ())}


def is_page(response: Node, schemas: Mapping[str, Node]) -> bool:
    """Say whether an answer is a page of a list."""
    content = response.get("content", {}).get("application/json", {})
    name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
    return "next_cursor" in schemas.get(name, {}).get("properties", {})
