"""Incidents that somebody opens by hand."""

import asyncio
from typing import Any

import httpx
import pytest
from tests import factories
from tests.stage import Stage


async def create(api: httpx.AsyncClient, stage: Stage, **changes: Any) -> httpx.Response:
    body = {"service_id": str(stage.service.id), "title": "Checkout is slow", "priority": "high"}
    return await api.post("/v1/incidents", json=body | changes)


async def test_it_pages_level_one_at_once_and_climbs(api, stage):
    answer = await create(api, stage, description="Since the last release.")
    await stage.wait(5)

    incident = await stage.incident()
    shown = answer.json()
    assert (answer.status_code, shown["changed"]) == (201, True)
    assert (shown["incident"]["number"], shown["incident"]["title"]) == (
        incident.number,
        "Checkout is slow",
    )
    assert shown["incident"]["annotations"] == {"description": "Since the last release."}
    assert await stage.told(incident) == ["First", "Second"]
    assert await stage.violations() == []


async def test_the_timeline_names_who_opened_it_and_why(api, stage):
    await create(api, stage, user_id=str(stage.second.id), reason="a customer called")

    opened, paged = await stage.events(await stage.incident())
    assert (opened.kind, opened.actor["name"], opened.reason) == (
        "opened",
        "Second",
        "a customer called",
    )
    assert paged.kind == "paged"


async def test_its_labels_are_shown_and_found_by_matchers_and_text(api, stage):
    labels = {"region": "eu-west", "customer tier": "gold"}

    answer = await create(api, stage, labels=labels)

    assert answer.json()["incident"]["labels"] == labels
    for wanted in ({"matcher": "region=eu-west"}, {"matcher": "region=~eu.+"}, {"q": "gold"}):
        found = (await api.get("/v1/incidents", params=wanted)).json()["items"]
        assert [item["labels"] for item in found] == [labels]


async def test_its_labels_route_it_nowhere(api, stage, transactions):
    async with transactions.open() as tx:
        other = await factories.make_service(tx, stage.team)
    path = f"/v1/integrations/{stage.integration.id}/routing-rules"
    rules = {"rules": [{"matchers": ["region=eu-west"], "service_id": str(other.id)}]}
    (await api.put(path, json=rules)).raise_for_status()

    answer = await create(api, stage, labels={"region": "eu-west"})

    assert answer.json()["incident"]["service_id"] == str(stage.service.id)


@pytest.mark.parametrize(
    "labels",
    [
        {"": "x"},
        {"a\x00": "x"},
        {"n" * 257: "x"},
        {"a": "x" * 4097},
        {"a": 1},
        {"a": None},
        {f"l{number}": "x" for number in range(65)},
    ],
)
async def test_labels_that_an_alert_could_not_have_are_refused(api, stage, labels):
    answer = await create(api, stage, labels=labels)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"].startswith("/labels")
    assert await stage.incidents() == []


async def test_no_alert_joins_or_resolves_it(api, stage):
    await create(api, stage)

    await stage.fire("Disk")
    await stage.clear("Disk")

    by_hand, of_alerts = await stage.incidents()
    assert (by_hand.status, by_hand.alert_count) == ("OPEN", 0)
    assert of_alerts.status == "RESOLVED"


async def test_one_below_what_its_service_pages_for_is_quiet(api, stage):
    answer = await create(api, stage, priority="info")

    assert answer.json()["incident"]["is_quiet"] is True
    assert await stage.told(await stage.incident()) == []
    assert await stage.violations() == []


async def test_an_assignee_is_paged_first_and_level_one_follows(api, stage):
    await create(api, stage, assigned_user_id=str(stage.manager.id), priority="info")
    before = await stage.incident()
    await stage.wait(5)

    incident = await stage.incident()
    assert before.assigned_user_id == stage.manager.id
    assert await stage.told(incident) == ["Manager", "First"]
    assert await stage.kinds(incident) == ["opened", "assignee_paged", "paged"]
    assert await stage.violations() == []


async def test_a_policy_of_another_team_pages_and_its_team_owns_it(api, stage, transactions):
    async with transactions.open() as tx:
        team = await factories.make_team(tx)
        person = await factories.make_user(tx, team=team)
        other = await factories.make_policy(tx, team, [person])

    answer = await create(api, stage, escalation_policy_id=str(other.id))

    incident = await stage.incident()
    assert answer.json()["incident"]["team_id"] == str(team.id)
    assert [row.user_id for row in await stage.notifications(incident)] == [person.id]


async def test_what_would_wait_for_nobody_is_refused(api, stage, transactions):
    async with transactions.open() as tx:
        off = await factories.make_policy(tx, stage.team, [stage.first], is_active=False)
        silent = await factories.make_user(tx, team=stage.team, address=None)

    inactive = await create(api, stage, escalation_policy_id=str(off.id))
    unreachable = await create(api, stage, assigned_user_id=str(silent.id))

    assert (inactive.status_code, inactive.json()["code"]) == (422, "policy_inactive")
    assert (unreachable.status_code, unreachable.json()["code"]) == (422, "person_unreachable")
    assert await stage.incidents() == []


async def test_reporting_the_same_key_again_answers_the_active_incident(api, stage):
    first = await create(api, stage, key="checkout")

    again = await create(api, stage, key="checkout", title="Still slow")

    assert (again.status_code, again.json()["changed"]) == (200, False)
    assert again.json()["incident"]["id"] == first.json()["incident"]["id"]
    assert await stage.told(await stage.incident()) == ["First"]


async def test_a_key_whose_incident_is_over_opens_another_linked_to_it(api, stage):
    await create(api, stage, key="checkout")
    await stage.do("resolve", await stage.incident())

    again = await create(api, stage, key="checkout")

    old, new = await stage.incidents()
    assert again.status_code == 201
    assert new.previous_incident_id == old.id


async def test_of_many_reports_of_one_key_at_once_one_opens_it(api, stage):
    answers = await asyncio.gather(*(create(api, stage, key="checkout") for _ in range(5)))

    incident = await stage.incident()
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 201]
    assert {answer.json()["incident"]["id"] for answer in answers} == {str(incident.id)}
    assert await stage.told(incident) == ["First"]


async def test_a_key_whose_incident_went_to_another_team_is_refused_without_showing_it(
    api, anonymous, stage, transactions
):
    answer = await create(api, stage, key="k1")
    async with transactions.open() as tx:
        other = await factories.make_team(tx)
        policy = await factories.make_policy(tx, other, [stage.second])
        key = await factories.make_api_key(tx, scopes=["respond"], team_ids=[str(stage.team.id)])
    path = f"/v1/incidents/{answer.json()['incident']['id']}/reassign"
    (await api.post(path, json={"escalation_policy_id": str(policy.id)})).raise_for_status()
    anonymous.headers["Authorization"] = f"Bearer {key}"

    refused = await create(anonymous, stage, key="k1")

    assert refused.status_code == 409
    assert refused.json()["code"] == "key_with_another_team"
    assert (await create(anonymous, stage, key="k2")).status_code == 201
