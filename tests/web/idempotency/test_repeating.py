"""A request that is sent again under its `Idempotency-Key` is answered again, and done once."""

import re
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Response
from sqlalchemy import select, text, update
from tests import factories
from tests.credentials import key_with
from tests.stage import Stage

from incident_service.core.ids import new_id
from incident_service.teams.auth import Manager
from incident_service.teams.models import ApiKey, ContactMethod
from incident_service.teams.repeatable import RepeatableRoute
from incident_service.web.idempotency.attempts import Answer, Asked, Attempt, kept
from incident_service.web.idempotency.models import IdempotencyKey
from incident_service.web.request import InTx

KEY = {"Idempotency-Key": "0b7e7a52-order-1"}
INCIDENTS = "/v1/incidents"


def report(stage: Stage, title: str = "Slow") -> dict[str, str]:
    return {"service_id": str(stage.service.id), "title": title, "priority": "high"}


async def titles(stage: Stage) -> list[str]:
    return [incident.title for incident in await stage.incidents()]


def told(answer: httpx.Response) -> tuple[int, Any, str | None]:
    """What an answer says, without the id of its request."""
    return answer.status_code, answer.json(), answer.headers.get("idempotency-replayed")


async def test_the_first_answer_is_given_again_and_nothing_is_done_again(api, stage):
    first = await api.post(INCIDENTS, json=report(stage), headers=KEY)
    second = await api.post(INCIDENTS, json=report(stage), headers=KEY)

    assert told(first) == (201, first.json(), None)
    assert told(second) == (201, first.json(), "true")
    assert second.headers["content-type"] == first.headers["content-type"]
    assert second.headers["x-request-id"] != first.headers["x-request-id"]
    assert await titles(stage) == ["Slow"]


async def test_without_a_key_each_request_is_another_one(api, stage):
    for _ in range(2):
        await api.post(INCIDENTS, json=report(stage))

    assert await titles(stage) == ["Slow", "Slow"]
    assert await stage.rows(select(IdempotencyKey)) == []


async def test_a_verb_is_answered_as_it_was_though_things_have_gone_on(api, stage):
    await stage.fire("Disk")
    incident = await stage.incident()
    path = f"/v1/incidents/{incident.id}/acknowledge"
    first = await api.post(path, headers=KEY)
    await stage.do("unacknowledge", incident)

    second = await api.post(path, headers=KEY)

    assert first.json()["changed"] is True
    assert told(second) == (200, first.json(), "true")
    assert (await stage.incident()).status == "OPEN"


@pytest.mark.parametrize(
    ("path", "title"),
    [(INCIDENTS, "Down"), ("/v1/teams", "Slow")],
)
async def test_another_request_under_the_same_key_is_refused(api, stage, path, title):
    await api.post(INCIDENTS, json=report(stage), headers=KEY)

    answer = await api.post(path, json=report(stage, title), headers=KEY)

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "idempotency_key_reused")
    assert problem["errors"][0]["pointer"] == "/header/Idempotency-Key"
    assert await titles(stage) == ["Slow"]


async def test_two_callers_may_choose_the_same_key(api, stage, transactions):
    other = await key_with(transactions, scopes=["admin"])
    await api.post(INCIDENTS, json=report(stage), headers=KEY)

    answer = await api.post(INCIDENTS, json=report(stage), headers=KEY | other)

    assert told(answer)[::2] == (201, None)
    assert await titles(stage) == ["Slow", "Slow"]


async def test_a_request_that_was_refused_may_be_mended_under_its_key(api, stage):
    refused = await api.post(INCIDENTS, json={}, headers=KEY)
    done = await api.post(INCIDENTS, json=report(stage), headers=KEY)

    assert (refused.status_code, told(done)[::2]) == (422, (201, None))
    assert await titles(stage) == ["Slow"]


async def test_a_request_that_the_database_refused_is_done_when_it_is_sent_again(api, stage):
    name = {"name": "Web"}
    async with stage.transactions.open() as tx:
        taken = await factories.make_team(tx, **name)

    refused = await api.post("/v1/teams", json=name, headers=KEY)
    await api.delete(f"/v1/teams/{taken.id}")
    done = await api.post("/v1/teams", json=name, headers=KEY)

    assert (refused.status_code, told(done)[::2]) == (409, (201, None))


async def test_after_a_day_the_key_is_free(api, stage, clock):
    await api.post(INCIDENTS, json=report(stage), headers=KEY)
    clock.advance(hours=23, minutes=59)
    in_time = await api.post(INCIDENTS, json=report(stage), headers=KEY)
    clock.advance(minutes=1)

    late = await api.post(INCIDENTS, json=report(stage, "Down"), headers=KEY)
    again = await api.post(INCIDENTS, json=report(stage, "Down"), headers=KEY)

    assert [told(each)[2] for each in (in_time, late, again)] == ["true", None, "true"]
    assert await titles(stage) == ["Slow", "Down"]


async def test_a_key_that_lost_its_scope_is_told_nothing_more(api, stage, transactions):
    caller = await key_with(transactions, scopes=["respond"], name="narrowed")
    await api.post(INCIDENTS, json=report(stage), headers=KEY | caller)
    async with transactions.open() as tx:
        narrowed = update(ApiKey).where(ApiKey.name == "narrowed").values(scopes=["read"])
        await tx.session.execute(narrowed)

    answer = await api.post(INCIDENTS, json=report(stage), headers=KEY | caller)

    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")


@pytest.mark.parametrize("key", ["", "x" * 256, "two words", "schlüssel".encode()])
async def test_a_key_that_is_none_is_refused_in_words(api, stage, key):
    answer = await api.post(INCIDENTS, json=report(stage), headers={"Idempotency-Key": key})

    error = answer.json()["errors"][0]
    assert (answer.status_code, error["pointer"]) == (422, "/header/Idempotency-Key")
    assert error["message"]
    assert await titles(stage) == []


async def test_of_two_keys_none_is_chosen(api, stage):
    sent = [("Idempotency-Key", "first"), ("Idempotency-Key", "second")]

    answer = await api.post(INCIDENTS, json=report(stage), headers=sent)

    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_repeated")
    assert await titles(stage) == []


async def test_the_longest_key_is_taken(api, stage):
    headers = {"Idempotency-Key": "x" * 255}
    await api.post(INCIDENTS, json=report(stage), headers=headers)

    assert told(await api.post(INCIDENTS, json=report(stage), headers=headers))[2] == "true"


async def test_what_is_kept_can_be_read_by_nobody_but_the_caller(api, stage):
    body = {"name": "deploys", "scopes": ["read"]}
    first = await api.post("/v1/api-keys", json=body, headers=KEY)
    second = await api.post("/v1/api-keys", json=body, headers=KEY)

    secret = first.json()["key"]
    (row,) = await stage.rows(text("SELECT idempotency_keys::text FROM idempotency_keys"))
    assert second.json()["key"] == secret
    assert secret not in row
    assert "deploys" not in row
    assert re.search(r"sealed:[\w=-]+", row)


async def test_a_message_is_sent_once(api, stage):
    (method,) = await stage.rows(
        select(ContactMethod).where(ContactMethod.user_id == stage.first.id)
    )
    path = f"/v1/users/{stage.first.id}/contact-methods/{method.id}/test"

    first, second = [await api.post(path, headers=KEY) for _ in range(2)]

    assert told(second) == (202, first.json(), "true")


async def test_the_headers_that_matter_come_again(app: FastAPI, api):
    async def make_thing(_tx: InTx, _principal: Manager, response: Response) -> dict[str, str]:
        response.headers.update({"ETag": '"1"', "Location": "/things/1", "Date": "yesterday"})
        return {}

    before = list(app.router.routes)
    app.router.routes.insert(0, RepeatableRoute("/things", make_thing, methods=["POST"]))
    try:
        await api.post("/things", headers=KEY)
        again = await api.post("/things", headers=KEY)
    finally:
        app.router.routes[:] = before

    assert (again.headers["etag"], again.headers["location"]) == ('"1"', "/things/1")
    assert "date" not in again.headers


def test_an_answer_is_opened_by_its_own_caller_only():
    api_key_id = new_id()
    asked = Asked("POST", "/v1/teams?", b"{}")
    ours, theirs = (
        Attempt.of(asked, "k", api_key_id=api_key_id, secret=secret)
        for secret in ("isk_a", "isk_b")
    )
    answer = Answer(201, kept({"etag": '"1"', "x-request-id": "1"}), b'{"key": "isk_c"}')

    stored = ours.seal(answer.body)

    assert answer.headers == {"etag": '"1"'}
    assert ours.open(stored) == answer.body
    assert ours.digest != theirs.digest
    assert "isk_a" not in repr(ours)
