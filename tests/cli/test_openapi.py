"""The OpenAPI document that clients are generated from."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from incident_service.cli.openapi import as_text


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(as_text())
    return read


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for path in document["paths"].values() for operation in path.values()]


def references(node: Any) -> Iterator[str]:
    match node:
        case {"$ref": str(reference)}:
            yield reference
        case dict():
            for value in node.values():
                yield from references(value)
        case list():
            for value in node:
                yield from references(value)
        case _:
            pass


def test_it_is_the_same_text_every_time():
    assert as_text() == as_text()


def test_every_operation_has_a_name_of_its_own(document):
    names = [operation["operationId"] for operation in operations(document)]

    assert len(names) == len(set(names))
    assert all(name.isidentifier() and "_" in name for name in names)


def test_every_reference_leads_to_a_schema(document):
    schemas = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}

    assert set(references(document)) <= schemas


def test_every_operation_says_what_it_is_for(document):
    assert all(operation.get("description") for operation in operations(document))


def test_what_needs_a_key_says_so(document):
    without = {
        operation["operationId"]
        for operation in operations(document)
        if not operation.get("security")
    }

    # Two have their keys in the address.
    assert without <= {
        "get_liveness",
        "get_readiness",
        "ingest_alertmanager_with_key",
        "get_calendar_feed",
    }


def test_errors_are_problems(document):
    for operation in operations(document):
        assert "#/components/schemas/Problem" in set(references(operation["responses"]["4XX"]))
