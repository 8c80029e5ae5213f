"""The contract of the API: every answer that a test meets has to be one that the document names."""

import json
import re
from collections.abc import Iterator
from functools import cache, cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

DOCUMENT = "urn:document"
PROBLEM = "application/problem+json"
NOT_ALLOWED = 405


class Contract:
    """An OpenAPI document to compare answers with."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self._validators: dict[str, Draft202012Validator] = {}

    @cached_property
    def paths(self) -> list[tuple[re.Pattern[str], str]]:
        """The paths, those first that have the fewest places for parameters."""
        paths = sorted(self.document["paths"], key=lambda path: (path.count("{"), -len(path)))
        return [(pattern_of(path), path) for path in paths]

    @cached_property
    def registry(self) -> Registry[Any]:
        resource = DRAFT202012.create_resource(self.document)
        registry: Registry[Any] = Registry().with_resource(DOCUMENT, resource)
        return registry

    async def check(self, answer: httpx.Response) -> None:
        """Compare an answer, as a hook of httpx."""
        await answer.aread()
        problems = list(self.differences(answer))
        request = answer.request
        assert not problems, f"{request.method} {request.url.path}: {'; '.join(problems)}"

    def differences(self, answer: httpx.Response) -> Iterator[str]:
        """Yield what the document does not say of an answer."""
        path = self.find_path(answer.request.url.raw_path.decode().partition("?")[0])
        if path is None:
            return
        operation = self.document["paths"][path].get(answer.request.method.lower())
        status = str(answer.status_code)
        if operation is None or status == str(NOT_ALLOWED):
            return
        if answer.status_code == HTTPStatus.NOT_MODIFIED:
            if "if-none-match" not in answer.request.headers:
                yield "304 was not asked for"
            return
        if status not in operation["responses"]:
            yield f"{status} is not declared: {answer.text[:300]}"
            return
        yield from self.content_differences(path, operation, answer)

    def content_differences(
        self, path: str, operation: dict[str, Any], answer: httpx.Response
    ) -> Iterator[str]:
        status = str(answer.status_code)
        declared = operation["responses"][status].get("content", {})
        media_type = answer.headers.get("content-type", "").partition(";")[0]
        if not declared:
            if answer.content:
                yield f"{status} is declared without content, and has {answer.text[:300]}"
        elif media_type not in declared:
            yield f"{status} is not declared as {media_type!r}"
        elif media_type.endswith("json"):
            yield from code_differences(media_type, answer)
            place = ("paths", path, answer.request.method.lower(), "responses", status)
            pointer = pointer_of(*place, "content", media_type, "schema")
            yield from self.schema_differences(pointer, answer)

    def schema_differences(self, pointer: str, answer: httpx.Response) -> Iterator[str]:
        validator = self._validators.get(pointer)
        if validator is None:
            schema = {"$ref": f"{DOCUMENT}#{pointer}"}
            format_checker = Draft202012Validator.FORMAT_CHECKER
            validator = Draft202012Validator(
                schema, registry=self.registry, format_checker=format_checker
            )
            self._validators[pointer] = validator
        for error in validator.iter_errors(json.loads(answer.content)):
            yield f"{error.json_path}: {error.message[:300]}"

    def find_path(self, path: str) -> str | None:
        return next((name for pattern, name in self.paths if pattern.fullmatch(path)), None)


@cache
def documented_codes() -> frozenset[str]:
    """The codes of errors that docs/errors.md lists."""
    text = (Path(__file__).parents[1] / "docs" / "errors.md").read_text()
    return frozenset(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))


def code_differences(media_type: str, answer: httpx.Response) -> Iterator[str]:
    """Say when the code of a problem is not documented."""
    if media_type == PROBLEM and answer.json()["code"] not in documented_codes():
        yield f"docs/errors.md does not list {answer.json()['code']!r}"


def pattern_of(path: str) -> re.Pattern[str]:
    """Return what matches the addresses of a path with places for parameters."""
    parts = re.split(r"\{\w+\}", path)
    return re.compile("[^/]+".join(map(re.escape, parts)))


def pointer_of(*names: str) -> str:
    """Return a JSON pointer, as a fragment."""
    escaped = (name.replace("~", "~0").replace("/", "~1") for name in names)
    return "".join("/" + quote(name) for name in escaped)
