"""Make the document of FastAPI exact: errors, keys, parameters and numbers. Pure."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from incident_service.web.fields import without_null
from incident_service.web.openapi import errors, headers

Node = dict[str, Any]
REF = "#/components/schemas/"
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
PROBLEM = "Problem"
CONTENT = frozenset({"example", "examples", "default", "enum", "const"})
MOST_INT32 = 2**31 - 1
# A number of JSON is exact up to here in every language.
MOST_EXACT = 2**53 - 1


def finish(
    raw: Mapping[str, Any], schemas: Mapping[str, Node], examples: Mapping[str, Any]
) -> Node:
    """Return the document.

    `schemas` are named ones that no route of FastAPI mentions; `examples` go to schemas by name.
    """
    document: Node = deepcopy(dict(raw))
    components: Node = document.setdefault("components", {})
    named: Node = {**components.get("schemas", {}), **deepcopy(dict(schemas))}
    components["schemas"] = named
    document["servers"] = [{"url": "/"}]
    for method, operation in operations(document):
        finish_operation(method, operation, named)
    components["schemas"] = used(document)
    for _, operation in operations(document):
        headers.add_headers(operation, named)
    components["headers"] = deepcopy(dict(headers.COMPONENTS))
    for node in nodes(document):
        limit_integer(node)
    for name, schema in components["schemas"].items():
        drop_titles(schema)
        schema["title"] = name
        if name in examples:
            schema["examples"] = [examples[name]]
    drop_titles(document["paths"])
    return document


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, Node]]:
    """Yield the method and the content of each operation."""
    for path in document["paths"].values():
        for method in METHODS:
            if method in path:
                yield method, path[method]


def finish_operation(method: str, operation: Node, schemas: Mapping[str, Node]) -> None:
    """Say what an operation needs, what it takes and what it may answer."""
    show_scope(operation)
    operation.setdefault("security", [])
    for parameter in operation.get("parameters", []):
        parameter["schema"] = without_null(parameter["schema"])
    for content in operation.get("requestBody", {}).get("content", {}).values():
        content["schema"] = without_null(content["schema"])
    names = list(body_names(operation, schemas))
    statuses = errors.possible(method, operation, names)
    operation.pop(errors.EXACTLY, None)
    before = operation["responses"]
    kept = {code: without_charset(before[code]) for code in before if is_success(code)}
    added = {str(code): errors.shown(code, before.get(str(code))) for code in sorted(statuses)}
    operation["responses"] = dict(sorted({**kept, **added}.items()))


def is_success(code: str) -> bool:
    """Say whether a response is one that the route itself describes in full."""
    return code.isdecimal() and int(code) < errors.FIRST_ERROR


def without_charset(response: Node) -> Node:
    """Return a response whose media types have no parameters: generators compare them whole."""
    content = {name.partition(";")[0]: each for name, each in response.get("content", {}).items()}
    return {**response, "content": content} if content else response


def show_scope(operation: Node) -> None:
    """Say which scope an operation needs: its dependencies have named it.

    Only OAuth has scopes in the document itself, so that they move to where all tools show them.
    """
    scopes = {scope for each in operation.get("security", []) for one in each.values()
              for scope in one}  # fmt: skip
    if not scopes:
        return
    (scope,) = scopes
    operation[errors.SCOPE] = scope
    operation["security"] = [{key: [] for key in each} for each in operation["security"]]
    operation["description"] = (
        f"{operation.get('description', '')}\n\nNeeds the scope `{scope}`.".strip()
    )


def body_names(operation: Node, schemas: Mapping[str, Node]) -> Iterator[str]:
    """Yield the names of the members that the body of an operation may have."""
    for content in operation.get("requestBody", {}).get("content", {}).values():
        name = content["schema"].get("$ref", "").removeprefix(REF)
        yield from schemas.get(name, {}).get("properties", {})


def used(document: Node) -> dict[str, Node]:
    """Return the schemas that an operation leads to, by their names."""
    schemas: dict[str, Node] = document["components"]["schemas"]
    found: set[str] = set()
    waiting = [*references(document["paths"]), PROBLEM]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += references(schemas[name])
    return {name: schemas[name] for name in sorted(found)}


def references(node: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    """Yield the names of the schemas that a part of the document refers to."""
    for each in nodes(node):
        if isinstance(each.get("$ref"), str):
            yield each["$ref"].removeprefix(REF)


def limit_integer(schema: Node) -> None:
    """Say how large an integer may be: clients have to choose a type for it."""
    if schema.get("type") != "integer":
        return
    most = schema.get("maximum", MOST_INT32)
    schema.setdefault("format", "int32" if most <= MOST_INT32 else "int64")


def nodes(node: Any) -> Iterator[Node]:  # noqa: ANN401 - JSON
    """Yield every object of a document, but for those that callers would send or get."""
    if isinstance(node, dict):
        yield node
        for key, value in node.items():
            if key not in CONTENT:
                yield from nodes(value)
    elif isinstance(node, list):
        for value in node:
            yield from nodes(value)


def drop_titles(node: Any) -> None:  # noqa: ANN401 - JSON
    """Drop the titles that pydantic makes of names: generators take them for names of types."""
    for each in nodes(node):
        if isinstance(each.get("title"), str):
            del each["title"]


def schemas_of(*models: tuple[type[BaseModel], JsonSchemaMode]) -> dict[str, Node]:
    """Return the schemas of models that no route of FastAPI mentions, by their names."""
    _, definitions = models_json_schema(models, ref_template=REF + "{model}")
    schemas: dict[str, Node] = definitions["$defs"]
    return schemas
