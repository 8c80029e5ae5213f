"""The shapes in the OpenAPI document are such that generators make good clients of them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests import openapi
from tests.cli.test_openapi import operations, references

Node = dict[str, Any]
PREFIX = "#/components/schemas/"


@pytest.fixture(scope="module")
def document() -> Node:
    return openapi.document()


@pytest.fixture(scope="module")
def schemas(document) -> dict[str, Node]:
    found: dict[str, Node] = document["components"]["schemas"]
    return found


def reached(start: Any, schemas: dict[str, Node]) -> set[str]:
    found: set[str] = set()
    waiting = list(references_to_schemas(start))
    while waiting:
        name = waiting.pop().removeprefix(PREFIX)
        if name not in found:
            found.add(name)
            waiting += references(schemas[name])
    return found


def references_to_schemas(node: Any) -> Iterator[str]:
    return (each for each in references(node) if each.startswith(PREFIX))


def places(node: Any, path: str = "") -> Iterator[tuple[str, Node]]:
    """Yield each object of a document with where it is, but none inside of examples."""
    if isinstance(node, dict):
        yield path, node
        for key, value in node.items():
            if key not in ("example", "examples", "default"):
                yield from places(value, f"{path}/{key}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from places(value, f"{path}/{index}")


def test_requests_and_responses_share_no_object(document, schemas):
    taken = reached([each.get("requestBody") for each in operations(document)], schemas)
    given = reached([each["responses"] for each in operations(document)], schemas)

    assert not [name for name in taken & given if schemas[name]["type"] == "object"]
    assert not [name for name in schemas if name.endswith(("-Input", "-Output"))]


def test_every_member_of_a_response_is_always_there(document, schemas):
    given = reached([each["responses"] for each in operations(document)], schemas)

    for name in given:
        properties = set(schemas[name].get("properties", {}))
        assert set(schemas[name].get("required", [])) == properties, name


def test_parameters_and_bodies_are_not_null(document):
    for operation in operations(document):
        assert '"null"' not in json.dumps(operation.get("parameters", []))
        assert '"null"' not in json.dumps(operation.get("requestBody", {}))


def test_a_change_shows_null_only_where_it_clears(schemas):
    changes = schemas["TeamUpdate"]["properties"]

    assert changes["name"]["type"] == "string"
    assert {"type": "null"} in changes["external_id"]["anyOf"]


def test_objects_have_names(document):
    for path, node in places(document):
        if node.get("type") == "object" and "properties" in node:
            assert path.count("/") == len(["", "components", "schemas", "x"]) - 1, path


def test_everything_has_a_type(document):
    for path, node in places(document):
        if path.endswith(("/schema", "/items")) or path.rsplit("/", 2)[-2:-1] == ["properties"]:
            assert node.keys() & {"$ref", "type", "anyOf", "oneOf", "enum", "const"}, path


def test_integers_fit_into_a_type_of_every_language(document):
    for path, node in places(document):
        if node.get("type") == "integer":
            most = node.get("maximum", 2**31 - 1)
            assert node["format"] == ("int32" if most < 2**31 else "int64"), path
            assert most <= 2**53 - 1, path


def test_what_may_grow_is_no_enum(schemas):
    closed = {name for name, schema in schemas.items() if "enum" in schema}

    assert not closed & {"EventKind", "TimerKind"}
    for name, member in [
        ("EventRead", "kind"),
        ("AlertOutcome", "outcome"),
        ("Problem", "code"),
        ("NotificationRead", "reason"),
        ("IntegrationRead", "kind"),
        ("ContactMethodRead", "kind"),
    ]:
        assert schemas[name]["properties"][member]["type"] == "string"


def test_names_are_unique_and_used(document, schemas):
    assert {schema["title"] for schema in schemas.values()} == set(schemas)
    used = {reference.removeprefix(PREFIX) for reference in references_to_schemas(document)}
    assert used == set(schemas)


def test_addresses_are_relative_to_where_the_document_is(document):
    assert document["servers"] == [{"url": "/"}]
