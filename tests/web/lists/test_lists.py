"""Every list of the API pages alike: limits, cursors, links."""

from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.kept import Kept
from tests.stage import Stage
from tests.teams.test_permissions import World
from tests.web.lists.growing import LISTS, Add

from incident_service.core.db import Transactions

NAMES = ("id", "sequence", "user_id", "schedule_id")


@pytest.fixture
async def world(
    api: httpx.AsyncClient, stage: Stage, transactions: Transactions, kept: Kept
) -> World:
    return await World(api, stage, transactions).set_up(kept)


@dataclass(frozen=True)
class Listed:
    """A list of several items, and what adds one to it."""

    path: str
    add: Add


@pytest.fixture
async def listed(world: World, operation: str) -> Listed:
    path, add = await LISTS[operation](world)
    for _ in range(3):
        await add()
    return Listed(path, add)


def operations(app: FastAPI) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, methods in app.openapi()["paths"].items()
        for method, operation in methods.items()
    ]


def is_list(app: FastAPI, operation: dict[str, Any]) -> bool:
    match operation["responses"]:
        case {"200": {"content": {"application/json": {"schema": {"$ref": str(reference)}}}}}:
            schema = app.openapi()["components"]["schemas"][reference.rpartition("/")[2]]
            return "next_cursor" in schema.get("properties", {})
        case _:
            return False


def names(answer: httpx.Response) -> list[Any]:
    """What tells the items of a page from each other."""
    assert answer.status_code == 200, answer.text
    return [next(item[name] for name in NAMES if name in item) for item in answer.json()["items"]]


async def read_all(api: httpx.AsyncClient, url: str | None) -> list[Any]:
    """Follow the links from a page to the end."""
    read = []
    while url:
        answer = await api.get(url)
        read += names(answer)
        following = answer.links.get("next", {}).get("url")
        assert (following is None) == (answer.json()["next_cursor"] is None)
        url = following
    return read


def test_the_table_names_every_list(app):
    lists = {
        operation["operationId"]
        for method, _path, operation in operations(app)
        if method == "get" and is_list(app, operation)
    }

    assert lists == set(LISTS)


@pytest.mark.parametrize("name", ["limit", "cursor"])
def test_pages_are_asked_for_alike_in_every_list(app, name):
    described = [
        {key: value for key, value in parameter["schema"].items() if key != "default"}
        | {"description": parameter["description"]}
        for _method, _path, operation in operations(app)
        if operation["operationId"] in LISTS
        for parameter in operation["parameters"]
        if parameter["name"] == name
    ]

    assert described == described[:1] * len(LISTS)


@pytest.mark.parametrize("operation", LISTS)
async def test_links_lead_to_the_end_while_a_list_grows(world, listed):
    whole = await read_all(world.api, f"{listed.path}?limit=200")
    first = await world.api.get(listed.path, params={"limit": 1})
    await listed.add()

    read = names(first) + await read_all(world.api, first.links["next"]["url"])

    assert len(whole) >= 3
    assert [name for name in read if name in whole] == whole
    assert len(set(read)) == len(read)


@pytest.mark.parametrize("operation", LISTS)
async def test_a_cursor_of_another_list_is_refused_by_each(world, listed):
    other = "/v1/users" if listed.path == "/v1/teams" else "/v1/teams"
    await world.api.post("/v1/teams", json={"name": "One more"})
    foreign = (await world.api.get(other, params={"limit": 1})).json()["next_cursor"]

    answer = await world.api.get(listed.path, params={"cursor": foreign})

    assert (answer.status_code, answer.json()["code"]) == (400, "cursor_of_another_list")


@pytest.mark.parametrize("operation", LISTS)
async def test_a_damaged_cursor_is_refused_by_each(world, listed):
    cursor = (await world.api.get(listed.path, params={"limit": 1})).json()["next_cursor"]
    other = ("B" if cursor[0] == "A" else "A") + cursor[1:]
    damaged = [cursor[:-1], cursor + "A", other, "", "0", "%00", "\0", "🙂", "A" * 5_000]

    answers = [await world.api.get(listed.path, params={"cursor": each}) for each in damaged]

    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {
        (400, "cursor_unreadable")
    }


@pytest.mark.parametrize("operation", LISTS)
async def test_each_list_has_between_1_and_200_items_a_page(world, listed):
    limits = {"0": 422, "1": 200, "200": 200, "201": 422, "-1": 422, "x": 422}

    answers = {each: await world.api.get(listed.path, params={"limit": each}) for each in limits}

    assert {each: answer.status_code for each, answer in answers.items()} == limits


async def test_a_link_keeps_the_filters_and_the_size_of_pages(world):
    for _ in range(3):
        await world.incident()
    wanted = [("status", "OPEN"), ("status", "RESOLVED"), ("matcher", 'alertname=~"Alert .*"')]

    answer = await world.api.get("/v1/incidents", params=[*wanted, ("limit", "1")])

    link = httpx.URL(answer.links["next"]["url"])
    assert link.path == "/v1/incidents"
    assert link.params.multi_items() == [
        *wanted,
        ("limit", "1"),
        ("cursor", answer.json()["next_cursor"]),
    ]


async def test_the_size_of_pages_may_change_from_page_to_page(world):
    for _ in range(3):
        await world.incident()
    cursor = (await world.api.get("/v1/incidents", params={"limit": 1})).json()["next_cursor"]

    rest = await world.api.get("/v1/incidents", params={"limit": 7, "cursor": cursor})

    assert len(names(rest)) == 2


async def test_every_operation_refuses_parameters_that_it_does_not_know(app, api):
    found = {}
    for method, path, operation in operations(app):
        if "x-required-scope" in operation:
            answer = await api.request(method, f"{path}?statu=OPEN")
            found[operation["operationId"]] = (answer.status_code, answer.json().get("code"))

    assert set(found.values()) == {(422, "parameter_unknown")}, found


async def test_a_parameter_with_a_typo_is_named_next_to_those_that_are_known(api):
    answer = await api.get("/v1/services", params={"team": "x"})

    assert answer.json()["errors"][0]["pointer"] == "/query/team"
    assert answer.json()["detail"] == (
        "The query parameter `team` is not known; known are: team_id, limit, cursor."
    )


@pytest.mark.parametrize("path", ["/v1/ingest/alertmanager", "/v1/ingest/alertmanager/{key}"])
async def test_senders_may_add_what_they_like_to_their_address(stage, anonymous, path):
    answer = await anonymous.post(
        path.format(key=stage.key),
        params={"cluster": "eu"},
        headers={"Authorization": f"Bearer {stage.key}"},
        json={"alerts": []},
    )

    assert answer.status_code == 202


async def test_a_parameter_that_counts_once_cannot_come_twice(api):
    twice = await api.get("/v1/services?limit=1&limit=2")
    several = await api.get("/v1/incidents?status=OPEN&status=ACKNOWLEDGED")

    assert (twice.status_code, twice.json()["code"]) == (422, "parameter_repeated")
    assert twice.json()["errors"][0]["pointer"] == "/query/limit"
    assert several.status_code == 200
