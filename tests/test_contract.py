"""The contract check sees what it is for: answers that the document does not name."""

from typing import Any

import httpx
import pytest
from tests.contract import Contract

THING = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}
DOCUMENT: dict[str, Any] = {
    "paths": {
        "/things/{thing_id}": {
            "get": {
                "responses": {
                    "200": {
                        "content": {
                            "application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}
                        }
                    },
                    "204": {"description": "Nothing."},
                }
            }
        }
    },
    "components": {"schemas": {"Thing": THING}},
}


def answer(status: int = 200, path: str = "/things/1", **content: Any) -> httpx.Response:
    request = httpx.Request("GET", f"http://test{path}?limit=1")
    return httpx.Response(status, request=request, **content)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (answer(json={"id": "1"}), ""),
        (answer(204), ""),
        (answer(404, json={}), "404 is not declared"),
        (answer(json={"id": 1}), "$.id"),
        (answer(json={}), "'id' is a required property"),
        (answer(text="one"), "not declared as 'text/plain'"),
        (answer(204, json={}), "declared without content"),
        (answer(404, "/elsewhere", json={}), ""),
    ],
)
def test_an_answer_is_compared_with_the_document(given, said):
    found = "; ".join(Contract(DOCUMENT).differences(given))

    assert said in found if said else not found


async def test_the_apis_client_compares(api, contract):
    assert [hook.__self__ for hook in api.event_hooks["response"]] == [contract]
