"""An operation names the errors that it can give, and only those."""

from typing import Any

import pytest

from incident_service.web.openapi.errors import also, only, possible

ALWAYS = {500, 503}
OK: dict[str, Any] = {"200": {"description": "Fine."}}
UNEXPECTED = {"description": "", "content": {"": {"schema": {"$ref": "#/HTTPValidationError"}}}}


def of(method: str = "get", names: tuple[str, ...] = (), **operation: Any) -> set[int]:
    return possible(method, {"responses": OK} | operation, names) - ALWAYS


def parameter(place: str, name: str) -> list[dict[str, Any]]:
    return [{"in": place, "name": name}]


@pytest.mark.parametrize(
    ("method", "operation", "expected"),
    [
        ("get", {}, set()),
        ("get", {"security": [{"ApiKey": []}]}, {401, 403, 429}),
        ("get", {"parameters": parameter("path", "team_id")}, {404, 422}),
        ("get", {"parameters": parameter("query", "limit")}, {422}),
        ("get", {"parameters": parameter("query", "cursor")}, {400, 422}),
        ("get", {"parameters": parameter("header", "If-None-Match")}, {304, 400, 422}),
        ("post", {}, {409}),
        ("post", {"x-required-scope": "read"}, {422}),
        ("post", {"requestBody": {}}, {400, 408, 409, 413, 415, 422}),
        ("post", {"parameters": parameter("header", "Idempotency-Key")}, {400, 409, 422}),
        ("patch", {"parameters": parameter("header", "If-Match")}, {400, 409, 412, 422}),
        ("get", {"responses": OK | {"422": UNEXPECTED}}, set()),
    ],
)
def test_errors_follow_from_what_is_asked_for(method, operation, expected):
    assert of(method, **operation) == expected


def test_what_a_body_names_may_not_exist():
    assert 404 in of("post", ("team_id",), requestBody={})
    assert 404 not in of("post", ("name", "external_id"), requestBody={})


def test_an_operation_may_add_errors():
    own = {str(status): response for status, response in also(410).items()}

    assert of(responses=OK | own) == {410}


def test_an_operation_may_name_its_errors_itself():
    assert possible("post", {"responses": OK, "security": [{"A": []}]} | only(400), ()) == {400}


def test_a_header_adds_its_errors_to_those_that_are_named():
    operation = {"responses": OK, "parameters": parameter("header", "Idempotency-Key")} | only(400)

    assert possible("post", operation, ()) == {400, 409, 422}
