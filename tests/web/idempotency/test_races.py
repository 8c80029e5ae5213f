"""The same request at the same instant, on real connections: it is done once."""

import asyncio
from collections import Counter
from typing import Any

import httpx
from sqlalchemy import select, text
from tests.stage import Stage
from tests.waiting import eventually

from incident_service.incidents.locks import lock
from incident_service.web.idempotency.models import IdempotencyKey

KEY = {"Idempotency-Key": "race"}


async def waits(stage: Stage) -> bool:
    """Say whether a transaction waits for another one."""
    waiting = text(
        "SELECT count(*) > 0 FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    async with stage.transactions.open() as tx:
        return bool(await tx.session.scalar(waiting))


async def test_of_ten_at_once_one_takes_effect(api, stage):
    body = {"service_id": str(stage.service.id), "title": "Slow", "priority": "high"}

    answers: list[httpx.Response] = await asyncio.gather(
        *(api.post("/v1/incidents", json=body, headers=KEY) for _ in range(10))
    )
    later = await api.post("/v1/incidents", json=body, headers=KEY)

    done = [answer for answer in answers if answer.status_code == 201]
    refused = [answer for answer in answers if answer.status_code != 201]
    assert all(answer.json() == later.json() for answer in done)
    assert later.headers["idempotency-replayed"] == "true"
    assert Counter("idempotency-replayed" in answer.headers for answer in done)[False] == 1
    assert all(answer.json()["code"] == "idempotency_key_in_use" for answer in refused)
    assert await stage.told(await stage.incident()) == ["First"]


async def test_while_the_first_is_worked_on_the_second_is_asked_to_come_again(api, stage):
    await stage.fire("Disk")
    incident = await stage.incident()
    path = f"/v1/incidents/{incident.id}/acknowledge"

    async with stage.transactions.open() as tx:
        await lock(tx.session, [incident.id])
        first = asyncio.create_task(api.post(path, headers=KEY))
        await eventually(lambda: waits(stage), "the first to wait for the incident")
        second = await api.post(path, headers=KEY)
    third = await first
    fourth = await api.post(path, headers=KEY)

    assert (second.status_code, second.json()["code"]) == (409, "idempotency_key_in_use")
    assert second.headers["retry-after"] == "1"
    assert (third.status_code, third.json()["changed"]) == (200, True)
    assert (fourth.json(), fourth.headers["idempotency-replayed"]) == (third.json(), "true")


async def on_many(api: httpx.AsyncClient, stage: Stage, **headers: str) -> httpx.Response:
    ids = [str(incident.id) for incident in await stage.incidents()]
    body: dict[str, Any] = {"incident_ids": ids}
    return await api.post("/v1/incidents/bulk/acknowledge", json=body, headers=KEY | headers)


async def test_a_verb_on_many_is_answered_again_after_its_last_part(api, stage):
    await stage.fire("A", "B")
    first = await on_many(api, stage)
    for incident in await stage.incidents():
        await stage.do("unacknowledge", incident)

    second = await on_many(api, stage)

    assert [each["changed"] for each in first.json()["results"]] == [True, True]
    assert (second.json(), second.headers["idempotency-replayed"]) == (first.json(), "true")
    assert {incident.status for incident in await stage.incidents()} == {"OPEN"}


async def test_verbs_on_many_at_once_do_each_thing_once(api, stage):
    await stage.fire("A", "B", "C")

    answers = await asyncio.gather(*(on_many(api, stage) for _ in range(5)))

    fresh = [answer for answer in answers if "idempotency-replayed" not in answer.headers]
    changed = [each["changed"] for answer in fresh for each in answer.json()["results"]]
    assert {answer.status_code for answer in answers} == {200}
    assert sum(changed) == 3
    assert len(await stage.rows(select(IdempotencyKey.id))) == 1
    assert await stage.violations() == []


async def test_who_is_overtaken_by_a_verb_on_many_does_nothing(api, stage):
    await stage.fire("A", "B")
    held, other = await stage.incidents()
    many = {"incident_ids": [str(other.id)]}

    async with stage.transactions.open() as tx:
        await lock(tx.session, [held.id])
        path = f"/v1/incidents/{held.id}/acknowledge"
        overtaken = asyncio.create_task(api.post(path, headers=KEY))
        await eventually(lambda: waits(stage), "the verb to wait for its incident")
        done = await api.post("/v1/incidents/bulk/acknowledge", json=many, headers=KEY)
    refused = await overtaken

    assert done.status_code == 200
    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
    assert [each.status for each in await stage.incidents()] == ["OPEN", "ACKNOWLEDGED"]
