"""An operation that is going to end says so, in the document and on its answers."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Query, Response

from incident_service.core.errors import NotFound
from incident_service.web.deprecation import Deprecations, deprecated
from incident_service.web.problems import install_error_handlers

SINCE = date(2027, 1, 1)
SUNSET = date(2027, 7, 1)
SEE = "https://incidents.example/upgrading"
HEADERS = ("Deprecation", "Sunset", "Link")


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI()
    router = APIRouter(prefix="/v1")

    @router.get("/old", **deprecated(since=SINCE, sunset=SUNSET, see=SEE))
    async def show_old(response: Response, size: Annotated[int, Query(ge=1)] = 1) -> str:
        response.headers["Link"] = '</v1/old?cursor=x>; rel="next"'
        if size == 404:
            raise NotFound
        return "old"

    @router.get("/new")
    async def show_new() -> str:
        return "new"

    app.include_router(router)
    install_error_handlers(app, {})
    app.add_middleware(Deprecations)
    return app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def test_the_answer_says_since_when_and_until_when(client):
    answer = await client.get("/v1/old")

    began = datetime.fromtimestamp(int(answer.headers["Deprecation"].removeprefix("@")), UTC)
    assert answer.headers["Deprecation"] == "@1798761600"
    assert began == datetime(2027, 1, 1, tzinfo=UTC)
    assert answer.headers["Sunset"] == "Thu, 01 Jul 2027 00:00:00 GMT"
    assert parsedate_to_datetime(answer.headers["Sunset"]) == datetime(2027, 7, 1, tzinfo=UTC)


async def test_its_link_stands_beside_others(client):
    answer = await client.get("/v1/old")

    assert answer.links["deprecation"]["url"] == SEE
    assert answer.links["next"]["url"] == "/v1/old?cursor=x"


@pytest.mark.parametrize(("size", "status"), [("404", 404), ("0", 422)])
async def test_a_refusal_says_so_as_well(client, size, status):
    answer = await client.get("/v1/old", params={"size": size})

    assert answer.status_code == status
    assert all(name in answer.headers for name in HEADERS)


@pytest.mark.parametrize("path", ["/v1/new", "/v1/nonsense"])
async def test_what_does_not_end_says_nothing(client, path):
    answer = await client.get(path)

    assert not any(name in answer.headers for name in HEADERS)


def test_the_document_says_so(app):
    old, new = (app.openapi()["paths"][path]["get"] for path in ("/v1/old", "/v1/new"))

    assert old["deprecated"] is True
    assert (old["x-deprecated-since"], old["x-sunset"]) == ("2027-01-01", "2027-07-01")
    assert "deprecated" not in new


def test_nothing_ends_before_it_is_deprecated():
    with pytest.raises(ValueError, match="before"):
        deprecated(since=SUNSET, sunset=SINCE, see=SEE)


async def test_the_service_announces_what_its_routes_say(built_app):
    assert any(each.cls is Deprecations for each in built_app.user_middleware)
