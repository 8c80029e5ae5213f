"""The 3.0 twin says what the document says, as far as 3.0 can."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from openapi_schema_validator import OAS30Validator

from incident_service.web.openapi.older import UNKNOWN, schema, to_3_0

Node = dict[str, Any]
REF = {"$ref": "#/components/schemas/Thing"}

small = st.integers(-3, 3)
values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), small, st.sampled_from(["", "a", "b"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2)
    ),
    max_leaves=5,
)
leaves: st.SearchStrategy[Node] = st.one_of(
    st.just({"type": "null"}),
    st.just({"type": "string"}),
    st.just({"type": "boolean"}),
    st.builds(lambda value: {"const": value, "type": "string"}, st.sampled_from(["a", "b"])),
    st.builds(lambda value: {"enum": [value], "type": "string"}, st.sampled_from(["a", "b"])),
    st.builds(
        lambda bounds: {"type": "integer", **bounds},
        st.dictionaries(
            st.sampled_from(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]), small
        ),
    ),
    st.builds(
        lambda types: {"type": types},
        st.lists(
            st.sampled_from(["null", "string", "integer", "boolean"]),
            min_size=1,
            max_size=3,
            unique=True,
        ),
    ),
)
schemas: st.SearchStrategy[Node] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(lambda items: {"type": "array", "items": items}, inner),
        st.builds(lambda each: {"type": "object", "properties": {"a": each}}, inner),
        st.builds(lambda each: {"type": "object", "additionalProperties": each}, inner),
        st.builds(lambda choices: {"anyOf": choices}, st.lists(inner, min_size=1, max_size=3)),
    ),
    max_leaves=4,
)


def parts(node: Any) -> Iterator[Node]:
    if isinstance(node, dict):
        yield node
        for each in node.values():
            yield from parts(each)
    elif isinstance(node, list):
        for each in node:
            yield from parts(each)


@given(schemas, values)
def test_the_same_values_are_valid(shape, value):
    before = Draft202012Validator(shape).is_valid(value)

    assert OAS30Validator(schema(shape)).is_valid(value) == before


@given(schemas)
def test_nothing_is_left_that_3_0_does_not_know(shape):
    for node in parts(schema(shape)):
        assert not node.keys() & {*UNKNOWN, "const", "examples"}
        assert not isinstance(node.get("type"), list)
        assert node.get("type") != "null"
        assert isinstance(node.get("exclusiveMinimum", True), bool)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ({"anyOf": [REF, {"type": "null"}]}, {"nullable": True, "allOf": [REF]}),
        ({**REF, "description": "Which."}, REF),
        ({"type": "string", "examples": ["a", "b"]}, {"type": "string", "example": "a"}),
        (
            {"type": "string", "contentMediaType": "image/png"},
            {"type": "string", "format": "binary"},
        ),
        ({"type": "object", "propertyNames": REF}, {"type": "object"}),
        (
            {"properties": {"const": {"type": "string"}, "examples": {"type": "string"}}},
            {"properties": {"const": {"type": "string"}, "examples": {"type": "string"}}},
        ),
    ],
)
def test_each_spelling_has_its_own(shape, expected):
    assert schema(shape) == expected


def test_a_document_keeps_what_both_know():
    given_document = {
        "openapi": "3.1.0",
        "info": {"title": "Things", "version": "1"},
        "webhooks": {"new": {}},
        "paths": {"/things": {"get": {"parameters": [{"schema": {"const": 1}}]}}},
        "components": {"schemas": {"Thing": {"type": "null"}}},
    }

    older = to_3_0(given_document)

    assert older == {
        "openapi": "3.0.3",
        "info": {"title": "Things", "version": "1"},
        "paths": {"/things": {"get": {"parameters": [{"schema": {"enum": [1]}}]}}},
        "components": {"schemas": {"Thing": {"nullable": True, "enum": [None]}}},
    }
