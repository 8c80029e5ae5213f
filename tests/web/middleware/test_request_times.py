"""Requests are measured under names that are known beforehand."""

import httpx
from starlette.types import Message, Receive, Scope, Send
from tests.samples import sample

from incident_service.core.db import Overtaken
from incident_service.core.ids import new_id
from incident_service.web.middleware.replaying import ReplayOnConflict
from incident_service.web.middleware.request_times import RequestTimes


def count(**labels: str) -> float:
    return sample("incident_http_request_seconds_count", **labels) or 0.0


async def test_a_request_is_measured_under_its_route_and_not_under_its_path(api):
    labels = {"route": "/v1/incidents/{incident_id}", "method": "GET", "status": "4xx"}
    before = count(**labels)

    await api.get(f"/v1/incidents/{new_id()}")

    assert count(**labels) == before + 1


async def test_a_route_without_prefix_has_its_own_path(anonymous):
    labels = {"route": "/livez", "method": "GET", "status": "2xx"}
    before = count(**labels)

    await anonymous.get("/livez")

    assert count(**labels) == before + 1


async def test_paths_that_do_not_exist_share_a_name(anonymous):
    labels = {"route": "other", "method": "GET", "status": "4xx"}
    before = count(**labels)

    await anonymous.get("/one")
    await anonymous.get("/another")

    assert count(**labels) == before + 2


async def test_methods_that_do_not_exist_share_a_name(anonymous):
    labels = {"route": "other", "method": "other", "status": "4xx"}
    before = count(**labels)

    await anonymous.request("BREW", "/coffee")

    assert count(**labels) == before + 1


async def test_an_error_that_nobody_renders_is_a_5xx(anonymous):
    async def break_down(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("broken")

    labels = {"route": "other", "method": "GET", "status": "5xx"}
    before = count(**labels)
    transport = httpx.ASGITransport(RequestTimes(break_down), raise_app_exceptions=False)

    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        await client.get("/")

    assert count(**labels) == before + 1


async def test_a_replayed_request_is_measured_once():
    attempts: list[int] = []

    async def overtaken_once(scope: Scope, receive: Receive, send: Send) -> None:
        attempts.append(1)
        if len(attempts) == 1:
            raise Overtaken
        start: Message = {"type": "http.response.start", "status": 200, "headers": []}
        await send(start)
        await send({"type": "http.response.body", "body": b""})

    transport = httpx.ASGITransport(ReplayOnConflict(RequestTimes(overtaken_once)))
    before = {
        status: count(route="other", method="GET", status=status) for status in ("2xx", "5xx")
    }

    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        await client.get("/")

    assert len(attempts) == 2
    assert count(route="other", method="GET", status="2xx") == before["2xx"] + 1
    assert count(route="other", method="GET", status="5xx") == before["5xx"]
