"""The OpenAPI document that clients are generated from."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests import openapi

from incident_service.cli.openapi import as_text


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi.document()


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
    assert as_text() == openapi.text()


def test_every_operation_has_a_name_of_its_own(document):
    names = [operation["operationId"] for operation in operations(document)]

    assert len(names) == len(set(names))
    assert all(name.isidentifier() and "_" in name for name in names)


def test_every_reference_leads_somewhere_and_everything_is_referred_to(document):
    described = {
        f"#/components/{kind}/{name}"
        for kind in ("schemas", "headers")
        for name in document["components"][kind]
    }

    assert set(references(document)) == described


def test_every_operation_says_what_it_is_for(document):
    assert all(operation.get("description") for operation in operations(document))


def test_what_needs_a_key_says_so(document):
    without = {
        operation["operationId"] for operation in operations(document) if not operation["security"]
    }

    # Two have their keys in the address.
    assert without <= {
        "get_liveness",
        "get_readiness",
        "ingest_alertmanager_with_key",
        "get_calendar_feed",
    }


def test_errors_are_problems_and_nothing_else(document):
    for operation in operations(document):
        for code, response in operation["responses"].items():
            if int(code) >= 400:
                assert response["content"] == {
                    "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
                }


def test_errors_are_named_one_by_one(document):
    codes = {code for operation in operations(document) for code in operation["responses"]}

    assert all(code.isdecimal() for code in codes)
    assert not {"HTTPValidationError", "ValidationError"} & set(document["components"]["schemas"])


def test_what_needs_a_scope_names_it(document):
    for operation in operations(document):
        if {"ApiKey": []} in operation["security"]:
            scope = operation["x-required-scope"]
            assert operation["description"].endswith(f"Needs the scope `{scope}`.")
        else:
            assert "x-required-scope" not in operation


def test_every_operation_has_one_section_that_is_described(document):
    described = {tag["name"] for tag in document["tags"] if tag["description"]}
    used = [operation["tags"] for operation in operations(document)]

    assert all(len(tags) == 1 for tags in used)
    assert {tags[0] for tags in used} == described


def test_senders_are_told_every_way_to_show_their_key(document):
    posting = document["paths"]["/v1/ingest/alertmanager"]["post"]
    schemes = document["components"]["securitySchemes"]

    found = {
        (schemes[name]["type"], schemes[name].get("scheme", schemes[name].get("name")))
        for each in posting["security"]
        for name in each
    }

    assert found == {("http", "bearer"), ("http", "basic"), ("apiKey", "X-API-Key")}
    assert all(scheme["description"] for scheme in schemes.values())
