"""Conditional requests: what is sent again, and what is changed."""

from typing import Any

import pytest
from tests.conditions import (
    ASKED,
    DOCUMENT,
    OPERATIONS,
    READS,
    SEEN_BY_POST,
    THINGS,
    WRITES,
    Operation,
    tag_seen,
    url_of_thing,
)
from tests.teams.test_permissions import CALLERS, REQUESTS, ROWS, World

ANOTHER = {"If-Match": '"another"'}
REFUSED = ("401", "403", "404")


@pytest.fixture
async def world(api, stage, transactions, kept) -> World:
    return await World(api, stage, transactions).set_up(kept)


@pytest.mark.parametrize("name", READS)
async def test_who_has_it_is_not_sent_it_again(world, name):
    _, url, _ = await ASKED[name](world)
    tag = (await world.api.get(url)).headers["etag"]

    answers = {
        wanted: await world.api.get(url, headers={"If-None-Match": wanted})
        for wanted in (tag, f"W/{tag}", f'"another", {tag}', "*", '"another"')
    }

    *same, changed = answers.values()
    assert [(each.status_code, each.content) for each in same] == [(304, b"")] * 4
    assert {each.headers["etag"] for each in answers.values()} == {tag}
    assert changed.status_code == 200


@pytest.mark.parametrize("name", WRITES)
async def test_what_was_not_seen_as_it_is_is_not_changed(world, name):
    operation = OPERATIONS[name]
    request = await ASKED[name](world)
    url = url_of_thing(operation, request[1])
    before = await world.api.get(url)

    refused = await world.api.request(*request[:2], json=request[2], headers=ANOTHER)

    assert (refused.status_code, refused.json()["code"]) == (412, "precondition_failed")
    assert (await world.api.get(url)).content == before.content


@pytest.mark.parametrize("name", [name for name in WRITES if name not in SEEN_BY_POST])
async def test_what_was_seen_as_it_is_is_changed(world, name):
    request = await ASKED[name](world)
    tag = await tag_seen(world, OPERATIONS[name], request)

    done = await world.api.request(*request[:2], json=request[2], headers={"If-Match": tag})

    without = await world.api.request(*request[:2], json=request[2])
    assert done.is_success or done.status_code == without.status_code != 412, done.text


@pytest.mark.parametrize("name", WRITES)
async def test_a_star_asks_for_whatever_is_there(world, name):
    request = await ASKED[name](world)

    answer = await world.api.request(*request[:2], json=request[2], headers={"If-Match": "*"})

    assert (answer.status_code == 412) == (name == "put_member"), answer.text


@pytest.mark.parametrize("name", WRITES)
async def test_who_may_not_is_told_so_whatever_they_have_seen(world, anonymous, name):
    method, url, body = await REQUESTS[name](world)
    barred = {
        caller: int(word)
        for caller, word in zip(CALLERS, ROWS[name], strict=True)
        if word in REFUSED
    }

    answers = {
        caller: await anonymous.request(
            method, url, json=body, headers=world.callers[caller] | ANOTHER
        )
        for caller in barred
    }

    assert {caller: each.status_code for caller, each in answers.items()} == barred


def shape(operation: Operation) -> set[str]:
    """The fields of an operation's answer."""
    answers = operation.content["responses"]
    schemas = [
        content["schema"].get("$ref", "").rpartition("/")[2]
        for status in ("200", "201")
        for content in answers.get(status, {}).get("content", {}).values()
    ]
    return set(SCHEMAS[schemas[0]]["properties"]) if any(schemas) else set()


SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
SHAPES = [shape(OPERATIONS[name]) for name in READS]
TAGGED = [
    each.name
    for each in OPERATIONS.values()
    if each.method != "get"
    and (any(shape(each) >= thing for thing in SHAPES) or "VerbResult" in str(each.content))
]


@pytest.mark.parametrize("name", TAGGED)
async def test_the_answer_to_a_change_has_the_tag_that_get_has_then(world, name):
    operation = OPERATIONS[name]
    method, url, body = await ASKED[name](world)

    answer = await world.api.request(method, url, json=body)

    described = operation.content["responses"][str(answer.status_code)]
    assert "ETag" in described["headers"]
    shown = await world.api.get(url_of_shown(operation, url, answer.json()))
    assert answer.headers["etag"] == shown.headers["etag"]


def url_of_shown(operation: Operation, url: str, answer: dict[str, Any]) -> str:
    """The address of what an answer shows."""
    is_new = operation.path in {thing.rpartition("/")[0] for thing in THINGS} - THINGS
    if is_new:
        return f"{url}/{answer.get('incident', answer)['id']}"
    return url_of_thing(operation, url)


async def test_an_incidents_tag_is_the_number_of_its_last_event(world):
    incident = await world.incident()
    url = f"/v1/incidents/{incident.id}"

    noted = await world.api.post(f"{url}/notes", json={"text": "Seen."})

    events = (await world.api.get(f"{url}/timeline")).json()["items"]
    assert noted.headers["etag"] == f'"{events[-1]["sequence"]}"'


async def test_what_becomes_of_a_linked_incident_keeps_nobody_from_working(world):
    url = f"/v1/incidents/{(await world.incident()).id}"
    other = (await world.incident()).id
    linked = await world.api.put(f"{url}/related/{other}")
    await world.api.post(f"/v1/incidents/{other}/resolve")

    read = await world.api.get(url, headers={"If-None-Match": linked.headers["etag"]})
    taken = await world.api.post(f"{url}/acknowledge", headers={"If-Match": linked.headers["etag"]})

    assert (read.status_code, taken.status_code) == (200, 200)


async def test_what_cannot_be_read_as_tags_is_said_so(world):
    url = f"/v1/teams/{world.stage.team.id}"

    answers = [
        await world.api.get(url, headers={"If-None-Match": "17"}),
        await world.api.patch(url, json={}, headers={"If-Match": "17"}),
    ]

    assert [(each.status_code, each.json()["code"]) for each in answers] == [
        (400, "tags_unreadable")
    ] * 2


async def test_several_lines_of_a_header_are_one_list(world):
    url = f"/v1/teams/{world.stage.team.id}"
    tag = (await world.api.get(url)).headers["etag"]

    answer = await world.api.get(
        url, headers=[("If-None-Match", '"another"'), ("If-None-Match", tag)]
    )

    assert answer.status_code == 304


async def test_an_overrides_tag_is_in_the_answer_that_made_it(world):
    url = f"/v1/schedules/{await world.schedule()}/overrides"
    made = await world.api.post(url, json=world.new_override())

    gone = await world.api.delete(
        f"{url}/{made.json()['id']}", headers={"If-Match": made.headers["etag"]}
    )

    assert gone.status_code == 204
