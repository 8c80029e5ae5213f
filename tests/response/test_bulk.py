"""The verbs on many incidents at once."""

import asyncio
import random
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from tests import factories
from tests.credentials import ALL_BUT_ADMIN, key_with, limited_to
from tests.stage import Stage, statuses

from incident_service.core.ids import new_id
from incident_service.teams.models import Role


async def do(
    api: httpx.AsyncClient, verb: str, ids: list[Any], **more: Any
) -> list[dict[str, Any]]:
    body = {"incident_ids": [str(id_) for id_ in ids]}
    answer = await api.post(f"/v1/incidents/bulk/{verb}", json=body | more.pop("body", {}), **more)
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


async def test_each_incident_has_its_own_answer_in_the_order_asked_for(api, stage):
    await stage.fire("A", "B", "C")
    a, b, c = await stage.incidents()
    await stage.do("acknowledge", b, by=stage.second)
    await stage.do("resolve", c)
    unknown = new_id()

    results = await do(
        api,
        "acknowledge",
        [c.id, unknown, b.id, a.id],
        body={"user_id": str(stage.first.id), "reason": "one storm"},
    )

    assert [(each["incident_id"], each["changed"], each["status"]) for each in results] == [
        (str(c.id), False, "RESOLVED"),
        (str(unknown), False, None),
        (str(b.id), False, "ACKNOWLEDGED"),
        (str(a.id), True, "ACKNOWLEDGED"),
    ]
    codes = [each["error"] and each["error"]["code"] for each in results]
    assert codes == ["not_allowed_now", "incident_not_found", None, None]
    taken, kept, _ = await stage.incidents()
    assert (taken.assigned_user_id, kept.assigned_user_id) == (stage.first.id, stage.second.id)
    assert (await stage.events(taken))[-1].reason == "one storm"
    assert await stage.violations() == []


async def test_resolving_ends_every_climb(api, stage):
    await stage.fire("A", "B")
    incidents = await stage.incidents()

    results = await do(api, "resolve", [each.id for each in incidents], body={"until_clear": True})
    again = await do(api, "resolve", [each.id for each in incidents])

    incidents = await stage.incidents()
    assert [each["changed"] for each in results + again] == [True, True, False, False]
    assert statuses(incidents) == ["RESOLVED", "RESOLVED"]
    assert all(each.resolved_until_clear for each in incidents)
    assert not any([await stage.is_waiting(each) for each in incidents])


async def test_five_hundred_at_once_are_done_and_more_are_refused(api, stage):
    for start in range(0, 500, 100):
        await stage.fire(*(f"Alert{number}" for number in range(start, start + 100)))
    ids = [incident.id for incident in await stage.incidents()]

    results = await do(api, "acknowledge", ids)
    too_many = await api.post(
        "/v1/incidents/bulk/acknowledge",
        json={"incident_ids": [str(id_) for id_ in (*ids, new_id())]},
    )

    assert len(ids) == 500
    assert all(each["changed"] for each in results)
    assert too_many.status_code == 422
    assert await stage.violations() == []


async def test_an_id_that_is_named_twice_has_two_answers(api, stage):
    await stage.fire("A")
    incident = await stage.incident()

    results = await do(api, "acknowledge", [incident.id, incident.id])

    assert [each["status"] for each in results] == ["ACKNOWLEDGED", "ACKNOWLEDGED"]
    assert (await stage.kinds(incident)).count("acknowledged") == 1


async def test_another_teams_incidents_do_not_exist(anonymous, transactions, stage):
    await stage.fire("A")
    incident = await stage.incident()
    async with transactions.open() as tx:
        other = await factories.make_team(tx)
    headers = await limited_to(transactions, other)

    (result,) = await do(anonymous, "resolve", [incident.id], headers=headers)

    assert (result["status"], result["error"]["code"]) == (None, "incident_not_found")
    assert (await stage.incident()).status == "OPEN"


async def test_observers_see_and_may_not(anonymous, transactions, stage):
    await stage.fire("A")
    incident = await stage.incident()
    async with transactions.open() as tx:
        observer = await factories.make_user(tx, team=stage.team, role=Role.OBSERVER)
    headers = await key_with(transactions, user_id=observer.id, scopes=list(ALL_BUT_ADMIN))

    (result,) = await do(anonymous, "resolve", [incident.id], headers=headers)

    assert (result["status"], result["error"]["code"]) == ("OPEN", "role_too_low")
    assert (await stage.incident()).status == "OPEN"


async def deadlocks(stage: Stage) -> int:
    async with stage.transactions.open() as tx:
        await tx.session.execute(text("SELECT pg_stat_force_next_flush()"))
        found = await tx.session.scalar(
            text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        )
    return int(found or 0)


@pytest.mark.parametrize("verb", ["acknowledge", "resolve"])
async def test_many_at_once_and_a_storm_of_the_same_alerts_do_not_deadlock(api, stage, verb):
    names = [f"Alert{number}" for number in range(60)]
    await stage.fire(*names)
    ids = [incident.id for incident in await stage.incidents()]
    order = random.Random(7)
    before = await deadlocks(stage)
    stage.clock.advance(minutes=1)

    async def send() -> None:
        mixed = order.sample(names, len(names))
        await stage.clear(*mixed[:30])
        await stage.refire(*mixed[30:])

    await asyncio.gather(
        *(do(api, verb, order.sample(ids, len(ids))) for _ in range(4)),
        *(send() for _ in range(4)),
    )

    assert await deadlocks(stage) == before
    assert await stage.violations() == []
