"""Say the same in OpenAPI 3.0.3, for the generators that do not read 3.1. Pure.

What 3.0 cannot say is left out: it then describes more than is sent or taken, never less.
"""

from collections.abc import Mapping
from typing import Any

Node = dict[str, Any]
VERSION = "3.0.3"
# Of these 3.0 knows nothing; none of them makes more values valid.
UNKNOWN = frozenset(
    {
        "$comment",
        "$defs",
        "contains",
        "contentEncoding",
        "contentMediaType",
        "dependentRequired",
        "dependentSchemas",
        "else",
        "if",
        "maxContains",
        "minContains",
        "patternProperties",
        "prefixItems",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
LISTS = ("allOf", "anyOf", "oneOf")
SINGLE = ("items", "additionalProperties", "not")
BOUNDS = (("exclusiveMinimum", "minimum", max), ("exclusiveMaximum", "maximum", min))


def to_3_0(document: Mapping[str, Any]) -> Node:
    """Return a document of OpenAPI 3.1 as one of 3.0.3."""
    kept = {
        key: value
        for key, value in document.items()
        if key not in ("webhooks", "jsonSchemaDialect", "openapi", "components", "paths")
    }
    older: Node = {"openapi": VERSION, **kept, "paths": outside(document["paths"])}
    if "components" in document:
        components = {name: each for name, each in document["components"].items() if each}
        components.pop("pathItems", None)
        schemas = components.pop("schemas", {})
        older["components"] = outside(components)
        older["components"]["schemas"] = {name: schema(each) for name, each in schemas.items()}
    return older


def outside(node: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a part of the document that is no schema, with the schemas in it converted."""
    if isinstance(node, list):
        return [outside(each) for each in node]
    if not isinstance(node, dict):
        return node
    return {key: schema(each) if key == "schema" else outside(each) for key, each in node.items()}


def schema(given: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a schema as 3.0 writes it."""
    if given is True:
        return {}
    if given is False:
        return {"not": {}}
    if "$ref" in given:
        return {"$ref": given["$ref"]}
    node: Node = {key: value for key, value in given.items() if key not in UNKNOWN}
    if given.get("type") == "string" and "contentMediaType" in given:
        node.setdefault("format", "binary")
    if "prefixItems" in given:
        node["items"] = {}  # an array has to name its items, and these are of several kinds
    if "const" in node:
        node["enum"] = [node.pop("const")]
    if "examples" in node:
        examples = node.pop("examples")
        if examples:
            node.setdefault("example", examples[0])
    for exclusive, inclusive, stricter in BOUNDS:
        show_bound(node, exclusive, inclusive, stricter)
    show_parts(node)
    return show_null(node)


def show_bound(node: Node, exclusive: str, inclusive: str, stricter: Any) -> None:  # noqa: ANN401 - min or max
    """Say with a flag that a bound itself is not allowed."""
    bound = node.get(exclusive)
    if bound is None or isinstance(bound, bool):
        return
    other = node.get(inclusive, bound)
    if stricter(other, bound) == bound:
        node[inclusive], node[exclusive] = bound, True
    else:
        del node[exclusive]


def show_parts(node: Node) -> None:
    """Convert the schemas inside of one."""
    if "properties" in node:
        node["properties"] = {name: schema(each) for name, each in node["properties"].items()}
    for key in LISTS:
        if key in node:
            node[key] = [each if is_null(each) else schema(each) for each in node[key]]
    for key in SINGLE:
        if key in node and not (key == "additionalProperties" and isinstance(node[key], bool)):
            node[key] = schema(node[key])
    if node.get("type") == "array":
        node.setdefault("items", {})


def is_null(node: Any) -> bool:  # noqa: ANN401 - JSON
    """Say whether a schema allows null and nothing else."""
    return isinstance(node, dict) and node.get("type") == "null"


def show_null(node: Node) -> Node:
    """Say `nullable` where 3.1 has the type null."""
    if isinstance(node.get("type"), list):
        return of_types(node)
    if is_null(node):
        return {key: each for key, each in node.items() if key != "type"} | only_null()
    for key in ("anyOf", "oneOf"):
        choices = node.get(key, [])
        left = [each for each in choices if not is_null(each)]
        if len(left) == len(choices):
            continue
        rest = {name: each for name, each in node.items() if name != key}
        return nullable(left, rest, key)
    return node


def nullable(left: list[Node], rest: Node, key: str) -> Node:
    """Return the choices that are not null, as one schema that also allows null."""
    if not left:
        return rest | only_null()
    if len(left) > 1:
        return {**rest, key: [*left, only_null()]}
    (one,) = left
    if "$ref" in one:
        return {**rest, "nullable": True, "allOf": [one]}
    with_null = {**one, **rest, "nullable": True}
    if "enum" in one and None not in one["enum"]:
        with_null["enum"] = [*one["enum"], None]
    return with_null


def of_types(node: Node) -> Node:
    """Return a schema of several types as a choice of schemas."""
    types = node.pop("type")
    left = [each for each in types if each != "null"]
    choices = [{"type": each} | ({"items": {}} if each == "array" else {}) for each in left]
    choices = [show_null(schema(node | each)) for each in choices]
    if "null" in types:
        return nullable(choices, {}, "anyOf")
    return choices[0] if len(choices) == 1 else {"anyOf": choices}


def only_null() -> Node:
    """Return the schema of null alone."""
    return {"nullable": True, "enum": [None]}
