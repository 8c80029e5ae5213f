"""Which operations take an `Idempotency-Key`, by the OpenAPI document."""

from typing import Any

import pytest
from tests.openapi import document

NAME = "Idempotency-Key"
# They only ask; or alerts, which have an identity of their own.
WITHOUT = {
    "preview_schedule",
    "test_routing_rules",
    "ingest_alertmanager",
    "ingest_alertmanager_with_key",
}


@pytest.fixture(scope="module")
def operations() -> list[tuple[str, dict[str, Any]]]:
    """Each operation with its method."""
    return [
        (method, operation)
        for path in document()["paths"].values()
        for method, operation in path.items()
    ]


def parameters(operation: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for each in operation.get("parameters", ()) if each["name"] == NAME]


def test_every_post_that_creates_or_acts_takes_one_and_nothing_else_does(operations):
    posts = {operation["operationId"] for method, operation in operations if method == "post"}
    taking = {operation["operationId"] for _, operation in operations if parameters(operation)}

    assert taking == posts - WITHOUT


def test_it_is_optional_not_nullable_and_everywhere_the_same(operations):
    found = [each for _, operation in operations for each in parameters(operation)]

    first = found[0]
    assert (first["in"], first["required"]) == ("header", False)
    assert first["schema"]["type"] == "string"
    assert (first["schema"]["minLength"], first["schema"]["maxLength"]) == (1, 255)
    assert all(each == first for each in found)
