"""Whatever goes wrong, the answer is a problem that says what to do and repeats no input."""

from uuid import uuid4

import httpx
import pytest
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

PROBLEM = "application/problem+json"
MEMBERS = {"type", "title", "status", "code", "detail", "errors", "request_id"}


def read(answer: httpx.Response) -> tuple[int, str]:
    """Return the status and the code of a problem."""
    body = answer.json()
    assert answer.headers["content-type"] == PROBLEM
    assert body.keys() == MEMBERS
    assert body["status"] == answer.status_code
    assert body["request_id"] == answer.headers["x-request-id"]
    return answer.status_code, body["code"]


async def test_an_unknown_address_is_a_problem(api):
    assert read(await api.get("/v1/nothing-here")) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/teams", {"GET", "POST"}),
        ("POST", "/v1/teams/01a0b3c4-0000-7000-8000-000000000001", {"DELETE", "GET", "PATCH"}),
        ("GET", "/v1/ingest/alertmanager", {"POST", "PUT"}),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(api, method, path, allowed):
    answer = await api.request(method, path)

    assert read(answer) == (405, "method_not_allowed")
    assert {each.strip() for each in answer.headers["allow"].split(",")} >= allowed
    assert method not in answer.headers["allow"]


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "", "nonsense"])
async def test_what_is_not_said_to_be_json_is_told_what_is_read(api, content_type):
    headers = {"content-type": content_type} if content_type else {}

    answer = await api.post("/v1/teams", content=b'{"name": "Payments"}', headers=headers)

    assert read(answer) == (415, "not_sent_as_json")
    assert answer.headers["accept"] == "application/json"


async def test_json_with_a_suffix_is_json(api):
    headers = {"content-type": "application/merge-patch+json; charset=utf-8"}

    answer = await api.post("/v1/teams", content=b'{"name": "Payments"}', headers=headers)

    assert answer.status_code == 201


async def test_an_encoding_that_is_not_known_is_told_those_that_are(stage, anonymous):
    answer = await anonymous.post(
        f"/v1/ingest/alertmanager/{stage.key}", content=b"x", headers={"content-encoding": "br"}
    )

    assert read(answer) == (415, "unknown_encoding")
    assert "gzip" in answer.headers["accept-encoding"]


async def test_wrong_values_are_named_and_never_repeated(api):
    answer = await api.post("/v1/teams", json={"name": 4711_4711, "colour": "secret blue"})

    assert read(answer) == (422, "invalid")
    assert {each["pointer"] for each in answer.json()["errors"]} == {"/name", "/colour"}
    assert "47114711" not in answer.text
    assert "secret blue" not in answer.text


async def test_a_members_name_that_is_wrong_is_pointed_at_itself(api):
    body = {"severity_map": {"p/0\x00": "high"}}

    answer = await api.patch(f"/v1/services/{uuid4()}", json=body)

    assert read(answer) == (422, "invalid")
    assert [each["pointer"] for each in answer.json()["errors"]] == ["/severity_map/p~10\x00"]


async def test_at_most_twenty_errors_are_listed_and_pointers_are_short(api):
    many = {f"unknown {number}": 1 for number in range(100)}

    few = await api.post("/v1/teams", json={"name": "a"} | many)
    long = await api.post("/v1/teams", json={"name": "a", "x" * 100_000: 1})

    assert len(few.json()["errors"]) == 20
    assert len(long.content) < 2_000


async def test_what_breaks_inside_says_only_under_which_id_it_is_logged(api, app):
    async def broken(*_: object) -> None:
        raise RuntimeError("the password is hunter2")

    app.state.user_in_use = (broken,)
    user = await api.post("/v1/users", json={"name": "Alex", "email": "alex@example.org"})

    with capture_logs([merge_contextvars]) as logged:
        answer = await api.delete(f"/v1/users/{user.json()['id']}")

    assert read(answer) == (500, "internal_error")
    assert "hunter2" not in answer.text
    ids = [each["request_id"] for each in logged if each["event"] == "request.failed"]
    assert ids == [answer.json()["request_id"]]
