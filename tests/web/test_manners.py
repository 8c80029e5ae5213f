"""What HTTP asks of every path: methods, redirects, and headers for browsers and caches."""

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Response
from tests.alertmanager.serving import serving

from incident_service.core.db import Transactions
from incident_service.main import create_app
from incident_service.settings import Settings
from incident_service.web.middleware.guards import guards_of

PROBES = ["/livez", "/readyz", "/metrics", "/openapi.json", "/docs"]
EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
ORIGIN = "https://board.example"


def paths(app: FastAPI) -> Iterator[tuple[str, set[str]]]:
    """Each path of the document, filled with something, and its methods."""
    for path, operations in app.openapi()["paths"].items():
        methods = {method.upper() for method in operations}
        if path.startswith("/v1/ingest/"):
            methods.add("PUT")  # taken, but not told of
        yield re.sub(r"\{\w+\}", "x", path), methods


def allowed(methods: set[str]) -> list[str]:
    implied = {"HEAD", "OPTIONS"} if "GET" in methods else {"OPTIONS"}
    return sorted(methods | implied)


async def client_of(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.fixture
def own_app(settings: Settings, transactions: Transactions) -> FastAPI:
    """One to add routes to."""
    return create_app(settings, transactions)


@pytest.fixture
async def own(own_app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async for client in client_of(own_app):
        yield client


@pytest.fixture
async def cross_origin(transactions: Transactions) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(
        _env_file=None, api_requests_per_second=0, cors_origins=f"{ORIGIN}, http://[::1]:3000"
    )
    async for client in client_of(create_app(settings, transactions)):
        yield client


async def test_a_path_with_a_slash_too_many_does_not_exist(app, api):
    found = {}
    for path, methods in paths(app):
        if not path.startswith("/v1/ingest/"):  # whose senders may be sloppy
            answer = await api.request(min(methods), f"{path}/")
            found[path] = (answer.status_code, answer.headers["Content-Type"])

    assert set(found.values()) == {(404, "application/problem+json")}, found


async def test_options_names_the_methods_of_every_path_without_a_key(app, anonymous):
    for path, methods in paths(app):
        answer = await anonymous.options(path)

        assert answer.status_code == 204, path
        assert answer.headers["Allow"].split(", ") == allowed(methods)
        assert answer.content == b""


@pytest.mark.parametrize("path", PROBES)
async def test_options_names_the_methods_of_what_is_not_for_callers(anonymous, path):
    answer = await anonymous.options(path)

    assert (answer.status_code, answer.headers["Allow"]) == (204, "GET, HEAD, OPTIONS")


async def test_options_of_an_unknown_path_is_not_found(anonymous):
    answer = await anonymous.options("/v1/nonsense")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_a_method_that_a_path_lacks_is_answered_with_those_it_has(app, api):
    for path, methods in paths(app):
        answer = await api.request("TRACE", path)

        assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
        assert answer.headers["Allow"].split(", ") == allowed(methods)


@pytest.mark.parametrize("path", [*PROBES, "/v1/teams", "/v1/teams/nonsense", "/v1/nonsense"])
async def test_head_answers_as_get_without_a_body(api, path):
    shown = await api.get(path)
    head = await api.head(path)

    assert head.status_code == shown.status_code
    assert head.content == b""
    assert head.headers["Content-Type"] == shown.headers["Content-Type"]
    if path != "/metrics":  # which counts this request
        assert head.headers["Content-Length"] == str(len(shown.content))


async def test_a_connection_goes_on_after_head(app):
    async with serving(app) as base, httpx.AsyncClient(base_url=base, trust_env=False) as client:
        heads = [await client.head("/livez") for _ in range(2)]
        shown = await client.get("/livez")

    assert [(head.status_code, head.content) for head in heads] == [(200, b"")] * 2
    assert shown.json() == {"status": "ok"}


async def test_the_calendar_answers_head(stage, api, anonymous):
    made = await api.post(
        "/v1/schedules",
        json={
            "team_id": str(stage.team.id),
            "name": "Weekly",
            "time_zone": "UTC",
            "layers": [{"name": "All", "participants": [str(stage.first.id)]}],
        },
    )
    url = f"/v1/schedules/{made.json()['id']}"
    feed = httpx.URL((await api.post(f"{url}/calendar-feed")).json()["url"])

    head = await anonymous.head(feed.raw_path.decode())

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Type"].startswith("text/calendar")


async def test_every_answer_is_guarded(own_app: FastAPI, own, api):
    @own_app.get("/failing", include_in_schema=False)
    async def fail() -> None:
        raise ZeroDivisionError

    answers = [
        await own.get("/v1/teams", headers=api.headers),
        await own.get("/livez"),
        await own.get("/metrics"),
        await own.get("/v1/teams"),
        await own.get("/nonsense"),
        await own.post("/v1/teams", content=b"x" * 2_000_000),
        await own.options("/v1/teams"),
        await own.post("/v1/ingest/alertmanager"),
        await own.post("/v1/ingest/alertmanager/nonsense"),
        await own.get("/failing"),
    ]

    assert [answer.status_code for answer in answers] == [
        *[200, 200, 200, 401, 404, 413, 204, 401, 401, 500]
    ]
    for answer in answers:
        assert {name: answer.headers.get_list(name) for name in EVERYWHERE} == {
            name: [value] for name, value in EVERYWHERE.items()
        }
        assert "Strict-Transport-Security" not in answer.headers


async def test_nothing_of_the_api_is_kept_by_caches(api):
    listed = await api.get("/v1/teams")
    taken = await api.post("/v1/ingest/alertmanager", json={})

    assert listed.headers["Cache-Control"] == taken.headers["Cache-Control"] == "no-store"


async def test_what_has_a_version_may_be_kept_and_is_asked_about(own_app: FastAPI, own):
    @own_app.get("/v1/versioned", include_in_schema=False)
    async def show(response: Response) -> None:
        response.headers["ETag"] = '"v1"'

    answer = await own.get("/v1/versioned")

    assert answer.headers["Cache-Control"] == "private, no-cache"


async def test_what_says_itself_how_long_it_is_kept_is_left_alone(own_app: FastAPI, own):
    @own_app.get("/v1/kept", include_in_schema=False)
    async def show(response: Response) -> None:
        response.headers["Cache-Control"] = "max-age=60"

    answer = await own.get("/v1/kept")

    assert answer.headers.get_list("Cache-Control") == ["max-age=60"]


@pytest.mark.parametrize(
    ("public_url", "is_strict"),
    [("https://incidents.example", True), ("http://incidents.example", False), ("", False)],
)
async def test_browsers_are_told_to_stay_with_https_when_it_is_used(
    app, anonymous, public_url, is_strict
):
    app.state.guards = guards_of(Settings(_env_file=None, public_url=public_url).base_url)

    answers = [
        await anonymous.get("/livez"),
        await anonymous.post("/v1/ingest/alertmanager"),
    ]

    told = [answer.headers.get("Strict-Transport-Security") for answer in answers]
    assert told == ["max-age=31536000" if is_strict else None] * 2


async def test_the_page_of_the_document_may_load_what_it_names_and_nothing_else(anonymous):
    answer = await anonymous.get("/docs")

    policy = answer.headers["Content-Security-Policy"]
    (script,) = re.findall(r'<script src="(https://[^"/]+)/', answer.text)
    assert policy.startswith(f"default-src 'none'; script-src {script} 'sha256-")
    assert "'unsafe-inline'" not in policy.split("style-src")[0]
    assert "/openapi.json" in answer.text


async def test_pages_of_other_origins_are_let_in_by_name_only(cross_origin, api):
    let_in = await cross_origin.get("/v1/teams", headers={"Origin": ORIGIN})
    other = await cross_origin.get("/v1/teams", headers={"Origin": "https://other.example"})
    usually = await api.get("/v1/teams", headers={"Origin": ORIGIN})

    assert let_in.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Access-Control-Allow-Origin" not in other.headers
    assert "Access-Control-Allow-Origin" not in usually.headers
    assert {"ETag", "Link", "RateLimit-Reset", "Retry-After", "X-Request-ID"} <= set(
        let_in.headers["Access-Control-Expose-Headers"].split(", ")
    )


async def test_pages_read_that_something_broke_inside(settings, transactions):
    limited = settings.model_copy(
        update={"cors_origins": (ORIGIN,), "api_requests_per_second": 50.0}
    )
    app = create_app(limited, transactions)

    @app.get("/v1/broken")
    async def break_down() -> None:
        raise RuntimeError

    async for client in client_of(app):
        answer = await client.get("/v1/broken", headers={"Origin": ORIGIN})

    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert answer.json()["request_id"] == answer.headers["X-Request-ID"]
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "RateLimit-Remaining" in answer.headers


async def test_browsers_may_ask_before_they_send_a_key(cross_origin):
    asked = await cross_origin.options(
        "/v1/teams",
        headers={
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "PATCH",
            "Access-Control-Request-Headers": "authorization, content-type, if-match",
        },
    )

    assert asked.status_code == 200
    assert asked.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "PATCH" in asked.headers["Access-Control-Allow-Methods"]


async def test_what_is_not_let_in_is_refused_in_the_words_of_the_api(cross_origin):
    asked = await cross_origin.options(
        "/v1/teams",
        headers={"Origin": "https://other.example", "Access-Control-Request-Method": "PATCH"},
    )

    assert (asked.status_code, asked.json()["code"]) == (400, "cross_origin_refused")
    assert asked.headers["Content-Type"] == "application/problem+json"
    assert "Origin" in asked.headers["Vary"].split(", ")
    assert "Access-Control-Allow-Origin" not in asked.headers


async def test_pages_may_send_every_header_that_the_service_reads(app, cross_origin):
    named = {
        parameter["name"]
        for operations in app.openapi()["paths"].values()
        for operation in operations.values()
        for parameter in operation.get("parameters", [])
        if parameter["in"] == "header"
    }
    sent = sorted(named | {"X-Request-ID", "traceparent", "tracestate"})

    asked = await cross_origin.options(
        "/v1/teams",
        headers={
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": ", ".join(sent),
        },
    )

    assert {"Idempotency-Key", "Last-Event-ID"} <= named
    assert (asked.status_code, asked.text) == (200, "OK")


async def test_pages_read_that_an_operation_is_going_to_end(cross_origin):
    answer = await cross_origin.get("/v1/teams", headers={"Origin": ORIGIN})

    assert {"Deprecation", "Sunset"} <= set(
        answer.headers["Access-Control-Expose-Headers"].split(", ")
    )


@pytest.mark.parametrize("origin", ["https://host/path", "host", "https://host/", "ftp://host"])
def test_an_origin_has_no_path(origin: Any):
    with pytest.raises(ValueError, match="without a path"):
        Settings(_env_file=None, cors_origins=origin)
