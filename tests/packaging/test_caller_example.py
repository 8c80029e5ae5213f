"""The caller of docs/api.md keeps what the document says of it."""

import asyncio
import json
from collections.abc import Callable, Iterator

import httpx
import pytest
from docs.examples.caller import TRIES, Caller, Refused, connect
from tests.alertmanager.serving import serving

Handler = Callable[[httpx.Request], httpx.Response]


class Losing(httpx.BaseTransport):
    """Loses the answer to the first POST, after the service has done what it asks for."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self.posts: list[httpx.Response] = []
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._inner.handle_request(request)
        if request.method == "POST":
            answer.read()
            self.posts.append(answer)
            if len(self.posts) == 1:
                raise httpx.ReadError("lost")
        return answer

    def close(self) -> None:
        self._inner.close()


class Cut(httpx.SyncByteStream):
    """A stream whose connection breaks at its end."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __iter__(self) -> Iterator[bytes]:
        yield self._text.encode()
        raise httpx.ReadError("broken")


def problem(status: int, code: str, **headers: str) -> httpx.Response:
    headers |= {"Content-Type": "application/problem+json"}
    return httpx.Response(status, content=json.dumps({"code": code}), headers=headers)


def caller_of(handle: Handler) -> tuple[Caller, list[float]]:
    """A caller of a service that answers so, and how long it slept each time."""
    slept: list[float] = []
    client = httpx.Client(transport=httpx.MockTransport(handle), base_url="http://test")
    return Caller(client, slept.append), slept


def answering(*answers: httpx.Response) -> tuple[Handler, list[httpx.Request]]:
    """Give these answers in turn, and remember what was asked."""
    asked: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return answers[len(asked) - 1]

    return handle, asked


def told(event_id: str, sequence: int) -> str:
    change = json.dumps({"incident_id": "x", "sequence": sequence})
    return f"id: {event_id}\nevent: opened\ndata: {change}\n\n"


def key_of(api: httpx.AsyncClient) -> str:
    return api.headers["Authorization"].removeprefix("Bearer ")


async def test_what_was_done_before_its_answer_got_lost_is_not_done_twice(app, api, stage):
    asked = {"service_id": str(stage.service.id), "title": "Slow", "priority": "high"}
    slept: list[float] = []
    transport = Losing(httpx.HTTPTransport())

    async with serving(app) as url:
        headers = {"Authorization": f"Bearer {key_of(api)}"}
        with httpx.Client(base_url=url, headers=headers, transport=transport) as client:
            caller = Caller(client, slept.append)
            answer = await asyncio.to_thread(caller.send, "POST", "/v1/incidents", json=asked)
    listed = (await api.get("/v1/incidents")).json()["items"]

    assert answer.headers["Idempotency-Replayed"] == "true"
    assert answer.json() == transport.posts[0].json()
    assert [incident["title"] for incident in listed] == ["Slow"]
    assert len(slept) == 1


async def test_a_list_is_read_to_its_end(app, api, stage):
    for name in "abc":
        await api.post("/v1/services", json={"team_id": str(stage.team.id), "name": name})

    async with serving(app) as url:
        with connect(url, key_of(api)) as client:
            items = Caller(client).items("/v1/services", limit=1)
            listed = await asyncio.to_thread(list, items)

    assert [service["name"] for service in listed][-3:] == ["a", "b", "c"]


@pytest.mark.parametrize(
    "refusal",
    [
        problem(503, "unavailable", **{"Retry-After": "7"}),
        problem(429, "too_many_requests", **{"Retry-After": "7"}),
        problem(409, "idempotency_key_in_use", **{"Retry-After": "7"}),
    ],
    ids=["503", "429", "in use"],
)
def test_it_comes_again_with_the_same_key_when_it_was_told_to(refusal):
    handle, asked = answering(refusal, httpx.Response(201, json={}))
    caller, slept = caller_of(handle)

    answer = caller.send("POST", "/v1/teams", json={"name": "Disks"})

    assert (answer.status_code, slept) == (201, [7])
    assert asked[0].headers["Idempotency-Key"] == asked[1].headers["Idempotency-Key"]
    assert asked[0].content == asked[1].content


@pytest.mark.parametrize("status", [400, 409, 412, 422, 500])
def test_what_would_be_refused_again_is_sent_once(status):
    handle, asked = answering(problem(status, "some_code"))
    caller, slept = caller_of(handle)

    with pytest.raises(Refused, match=f"{status} some_code"):
        caller.send("POST", "/v1/teams", json={})

    assert (len(asked), slept) == (1, [])


def test_it_gives_up_after_some_tries():
    handle, asked = answering(*[httpx.Response(502, html="<p>Bad gateway</p>")] * TRIES)
    caller, slept = caller_of(handle)

    with pytest.raises(Refused, match="502 None"):
        caller.send("GET", "/v1/teams")

    assert len(asked) == TRIES
    assert slept == sorted(slept)


def test_the_stream_goes_on_after_the_last_event_that_came_whole():
    begun = "retry: 2000\nid: a\n\n" + told("b", 1)
    handle, asked = answering(
        httpx.Response(200, stream=Cut(begun + "id: c\nevent: opened\n")),
        problem(503, "too_many_streams", **{"Retry-After": "7"}),
        httpx.Response(200, text=told("b", 1) + told("c", 2) + ": alive\nid: d\n\n"),
        problem(401, "key_not_valid"),
    )
    caller, slept = caller_of(handle)
    changes = caller.changes()

    seen = [next(changes), next(changes)]
    with pytest.raises(Refused, match="401 key_not_valid"):
        next(changes)

    assert [change["sequence"] for change in seen if change] == [1, 2]
    assert [request.headers.get("Last-Event-ID") for request in asked] == [None, "b", "b", "d"]
    assert slept == [2, 7, 2]


def test_a_reset_says_that_the_lists_have_to_be_read_anew():
    reset = 'id: b\nevent: reset\ndata: {"reason": "too_old"}\n\n'
    handle, _asked = answering(httpx.Response(200, text=told("a", 5) + reset + told("c", 1)))
    caller, _slept = caller_of(handle)
    changes = caller.changes()

    seen = [next(changes) for _ in range(3)]

    assert seen[1] is None
    assert seen[2] == {"incident_id": "x", "sequence": 1}
