"""No operation of the document breaks, whatever it is sent: each answer is one that it names.

All of it is sent in CI. While one develops, each place is sent a third of it, in turn: a place is a
body, a value in a body, or a parameter.
"""

import json
from collections.abc import Iterator
from copy import deepcopy
from datetime import datetime
from itertools import count
from typing import Any
from urllib.parse import quote

import hypothesis
import pytest
from tests.web.openapi.test_examples import SENT, arrange, translated

from incident_service.web.openapi.document import operations
from incident_service.web.openapi.examples import world
from incident_service.web.openapi.examples.requests import REQUESTS

JSON = "application/json"
BODIES: list[tuple[bytes, str]] = [
    (b"", JSON),
    (b"null", JSON),
    (b"[]", JSON),
    (b"[" * 50_000, JSON),
    (b'{"a":' * 50_000, JSON),
    (b"NaN", JSON),
    (b"1e999", JSON),
    (b'"text"', JSON),
    (b'{"\\ud800": 1}', JSON),
    (b'{"\\u0000": 1}', JSON),
    (b'{"name": "\\ud800", "reason": "\\ud800", "text": "\\ud800"}', JSON),
    (b'{"name": NaN}', JSON),
    (b"\xff\xfe{\x00}\x00", JSON),
    (b'{"name": "\xff"}', JSON),
    (b"{}", "text/plain"),
    (b"a=1", "application/x-www-form-urlencoded"),
    (b"{}", "multipart/form-data; boundary=x"),
    (b"{}", ""),
]
VALUES: list[Any] = [
    None,
    True,
    -1,
    2**63,
    10**400,
    float("nan"),
    float("inf"),
    "",
    "\x00",
    "\ud800",
    "x" * 20_000,
    "9999-12-31T23:59:59Z",
    "0000-00-00T00:00:00Z",
    "2027-03-01T09:00:00+23:59",
    [],
    [[]],
    {},
    {"\ud800": "\x00"},
]
THOROUGH = hypothesis.settings.get_profile("thorough").max_examples
SHARE = 3
IN_ADDRESSES = ["%00", "%ED%A0%80", "1e999", str(2**63), "-1", "x" * 5_000, "%F0%9F%94%A5", "NaN"]


def share(values: list[Any], turn: int, places: int = SHARE) -> list[Any]:
    """Return what one of several places is sent."""
    if hypothesis.settings().max_examples >= THOROUGH:
        return values
    step = min(SHARE, places)
    return values[turn % step :: step]


def leaves(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield where each value of a JSON document is."""
    match node:
        case dict():
            for key, value in node.items():
                yield from leaves(value, (*path, key))
        case list():
            for index, value in enumerate(node):
                yield from leaves(value, (*path, index))
        case _:
            pass
    if path:
        yield path


def replaced(node: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """Return a copy with another value in one place."""
    copied = deepcopy(node)
    inner = copied
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return copied


def filled(path: str) -> str:
    """Return an address of a path, with an id that does not exist."""
    for part in {part for part in path.split("/") if part.startswith("{")}:
        name = part.partition("}")[0][1:]
        value = "1" if name == "level_number" else world.INCIDENT
        path = path.replace(f"{{{name}}}", value)
    return path


async def test_no_body_breaks_an_operation(api, contract):
    turn = count()
    for path, methods in contract.document["paths"].items():
        for method, operation in operations({"paths": {path: methods}}):
            if "requestBody" not in operation:
                continue
            for body, media_type in share(BODIES, next(turn)):
                headers = {"content-type": media_type} if media_type else {}
                answer = await api.request(method, filled(path), content=body, headers=headers)
                assert answer.status_code < 500, f"{method} {path} {body[:40]!r}: {answer.text}"


@pytest.mark.parametrize(("name", "method", "url"), [sent[:3] for sent in SENT])
async def test_no_value_breaks_an_operation(api, clock, kept, name, method, url):
    clock.now = datetime.fromisoformat(world.BEGAN)
    ids = await kept.once("examples", lambda: arrange(api))
    example = json.loads(translated(json.dumps(REQUESTS[name]), ids))

    places = list(leaves(example))
    for turn, place in enumerate(places):
        for value in share(VALUES, turn, len(places)):
            content = json.dumps(replaced(example, place, value))
            answer = await api.request(
                method, translated(url, ids), content=content, headers={"content-type": JSON}
            )
            assert answer.status_code < 500, f"{place} {value!r:.40}: {answer.text}"


async def test_no_address_breaks_an_operation(api, contract):
    turn = count()
    for path, methods in contract.document["paths"].items():
        for method, operation in operations({"paths": {path: methods}}):
            for parameter in operation.get("parameters", []):
                for value in share(IN_ADDRESSES, next(turn)):
                    name = parameter["name"]
                    if parameter["in"] == "path":
                        url = filled(path.replace(f"{{{name}}}", value))
                    else:
                        url = f"{filled(path)}?{quote(name)}={value}"
                    answer = await api.request(method, url)
                    assert answer.status_code < 500, f"{method} {url[:200]}: {answer.text}"
