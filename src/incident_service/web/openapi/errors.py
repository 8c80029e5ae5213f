"""Say which errors an operation can give, from what it asks for. Pure.

What differs is said by the operation itself: `responses=also(…)` adds, `openapi_extra=only(…)`
replaces. 405 is no operation's: it is what a path answers to a method that it does not have.
"""

from collections.abc import Iterable, Mapping
from typing import Any

PROBLEM = "application/problem+json"
EXACTLY = "x-errors"
SCOPE = "x-required-scope"
FIRST_ERROR = 400
CHANGING = frozenset({"post", "put", "patch", "delete"})
# What the presence of a header adds: others say what it means.
BY_HEADER: Mapping[str, frozenset[int]] = {
    "if-match": frozenset({400, 412}),
    "if-none-match": frozenset({304, 400}),
    "idempotency-key": frozenset({400, 409, 422}),
}
MEANINGS: Mapping[int, str] = {
    304: "It is as the caller knows it.",
    400: "The request cannot be read.",
    401: "A valid key is needed.",
    403: "The key does not allow this.",
    404: "It does not exist, or not for this caller.",
    408: "The body did not arrive in time.",
    409: "The present state rules this out.",
    410: "It is gone for good.",
    412: "It has changed since the caller read it.",
    413: "The body is too large.",
    415: "The body is of a kind that is not read here.",
    422: "Some values are not acceptable; `errors` says which.",
    428: "The change has to say what it is based on.",
    429: "Too many requests; `Retry-After` says when to come again.",
    500: "Something went wrong inside; `request_id` is in the log.",
    503: "This cannot be done right now; try again.",
}
RETRY_AFTER = {
    "description": "Seconds to wait before the next try.",
    "schema": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
}
HEADERS: Mapping[int, Mapping[str, Any]] = {429: {"Retry-After": RETRY_AFTER}} | {
    503: {"Retry-After": RETRY_AFTER}
}


def also(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route that can give these in addition."""
    return {status: {"description": MEANINGS[status]} for status in statuses}


def only(*statuses: int) -> dict[str, Any]:
    """Return the `openapi_extra` of a route that can give these and no others."""
    return {EXACTLY: list(statuses)}


def possible(method: str, operation: Mapping[str, Any], body_names: Iterable[str]) -> set[int]:
    """Return what an operation may answer instead of a success.

    `body_names` are the names of the members that its body may have.
    """
    parameters = operation.get("parameters", [])
    if EXACTLY in operation:
        return set(operation[EXACTLY]) | of_headers(parameters)
    statuses = {500, 503} | declared(operation) | of_headers(parameters) | of_places(parameters)
    if operation.get("security"):
        statuses |= {401, 403, 429}
    if SCOPE in operation:
        statuses.add(422)  # a query parameter that is not known
    if "requestBody" in operation:
        statuses |= {400, 408, 413, 415, 422}
    if any(name.endswith("_id") and name != "external_id" for name in body_names):
        statuses.add(404)  # of what the body names
    if method in CHANGING and operation.get(SCOPE) != "read":
        statuses.add(409)
    return statuses


def of_places(parameters: Iterable[Mapping[str, Any]]) -> set[int]:
    """Return what an operation may answer because of its address."""
    statuses: set[int] = set()
    for parameter in parameters:
        statuses.add(422)
        if parameter["in"] == "path":
            statuses.add(404)
        elif parameter["name"] == "cursor":
            statuses.add(400)
    return statuses


def of_headers(parameters: Iterable[Mapping[str, Any]]) -> set[int]:
    """Return what an operation may answer because of the headers that it reads."""
    names = [each["name"].lower() for each in parameters if each["in"] == "header"]
    return {status for name in names for status in BY_HEADER.get(name, ())}


def declared(operation: Mapping[str, Any]) -> set[int]:
    """Return the errors that the route itself has named."""
    named = {int(status) for status in operation["responses"] if status.isdecimal()}
    own = {status for status in named if status >= FIRST_ERROR}
    # FastAPI adds a 422 of its own to whatever has a parameter.
    return own - {422} if is_of_fastapi(operation["responses"].get("422", {})) else own


def is_of_fastapi(response: Mapping[str, Any]) -> bool:
    """Say whether a response is the one that FastAPI adds by itself."""
    return "HTTPValidationError" in str(response)


def shown(status: int, response: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the response of a status; what the route has said of it stays."""
    description = (response or {}).get("description")
    known: dict[str, Any] = {"description": MEANINGS[status]}
    if description and response and not is_of_fastapi(response):
        known["description"] = description
    if headers := {**HEADERS.get(status, {}), **(response or {}).get("headers", {})}:
        known["headers"] = headers
    if status >= FIRST_ERROR:
        known["content"] = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return known
