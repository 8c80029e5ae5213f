from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import update
from tests import factories
from tests.credentials import key_with

from incident_service.catalog.models import RoutingRule, Service
from incident_service.teams.models import Role

CRITICAL = 'severity=~"critical|page"'


@pytest.fixture
def url(stage) -> str:
    return f"/v1/integrations/{stage.integration.id}/routing-rules"


@pytest.fixture
async def databases(transactions, stage) -> Service:
    """Another service of the same team, on the same policy."""
    async with transactions.open() as tx:
        return await factories.make_service(
            tx, stage.team, name="Databases", escalation_policy_id=stage.policy.id
        )


def rule(service: Service, *matchers: str) -> dict[str, Any]:
    return {"matchers": list(matchers), "service_id": str(service.id)}


async def send(api: httpx.AsyncClient, key: str, labels: dict[str, str], **more: Any) -> Any:
    alert = {"labels": labels, "startsAt": "2026-11-02T11:59:00Z", "status": "firing"} | more
    answer = await api.post(f"/v1/ingest/alertmanager/{key}", json={"alerts": [alert]})
    assert answer.status_code == 202, answer.text
    return answer.json()["results"][0]


async def service_of(api: httpx.AsyncClient, result: Any) -> str:
    incident = await api.get(f"/v1/incidents/{result['incident_id']}")
    return str(incident.json()["service_id"])


async def matchers_of(api: httpx.AsyncClient, url: str) -> list[list[str]]:
    return [item["matchers"] for item in (await api.get(url)).json()["items"]]


async def test_without_rules_everything_goes_to_the_integrations_service(api, url, stage):
    answer = await api.get(url)

    assert answer.json() == {
        "items": [],
        "next_cursor": None,
        "default_service_id": str(stage.service.id),
    }


async def test_an_alert_goes_to_the_service_of_the_first_rule_it_meets(api, url, stage, databases):
    await api.put(url, json={"rules": [rule(databases, 'team="db"', CRITICAL)]})

    met = await send(api, stage.key, {"team": "db", "severity": "page"})
    unmet = await send(api, stage.key, {"team": "db", "severity": "warning"})

    assert await service_of(api, met) == str(databases.id)
    assert await service_of(api, unmet) == str(stage.service.id)


async def test_a_resolve_follows_its_incident_and_not_todays_rules(api, url, stage, databases):
    labels = {"team": "db", "severity": "page"}
    opened = await send(api, stage.key, labels)
    await api.put(url, json={"rules": [rule(databases, 'team="db"')]})

    resolved = await send(api, stage.key, labels, status="resolved", endsAt="2026-11-02T12:00:00Z")

    assert (resolved["outcome"], resolved["incident_id"]) == ("resolved", opened["incident_id"])


async def test_a_re_send_stays_with_its_incident(api, url, stage, databases):
    opened = await send(api, stage.key, {"team": "db"})
    await api.put(url, json={"rules": [rule(databases, 'team="db"')]})

    again = await send(api, stage.key, {"team": "db"})

    assert (again["outcome"], again["incident_id"]) == ("repeated", opened["incident_id"])


async def test_a_new_episode_goes_where_todays_rules_say(api, url, stage, databases):
    await send(api, stage.key, {"team": "db"})
    await api.put(url, json={"rules": [rule(databases, 'team="db"')]})

    anew = await send(api, stage.key, {"team": "db"}, startsAt="2026-11-02T12:00:00Z")

    assert anew["outcome"] == "opened"
    assert await service_of(api, anew) == str(databases.id)


async def test_rules_are_added_in_their_places_replaced_and_removed(api, url, databases):
    await api.post(url, json=rule(databases, "a=1"))
    await api.post(url, json=rule(databases, "b=1"))
    answer = await api.post(url, json={**rule(databases, "c=1"), "position": 1})
    ids = [item["id"] for item in answer.json()["items"]]

    await api.put(f"{url}/{ids[1]}", json=rule(databases, "a=2"))
    await api.delete(f"{url}/{ids[0]}")

    listed = (await api.get(url)).json()["items"]
    assert [(item["position"], item["matchers"]) for item in listed] == [
        (1, ["a=2"]),
        (2, ["b=1"]),
    ]
    assert [item["id"] for item in listed] == ids[1:]


async def test_a_position_beyond_the_end_is_the_end(api, url, databases):
    await api.post(url, json={**rule(databases, "a=1"), "position": 7})

    assert [item["position"] for item in (await api.get(url)).json()["items"]] == [1]


@pytest.mark.parametrize(
    ("wrong", "pointer", "says"),
    [
        ({"matchers": []}, "/matchers", ""),
        ({"matchers": ["a=1", "team"]}, "/matchers/1", "not a matcher"),
        ({"matchers": ["a=~("]}, "/matchers/0", "regular expression"),
        ({"matchers": ["a=~(b{1,1000}){1,1000}"]}, "/matchers/0", "regular expression"),
        ({"service_id": str(uuid4())}, "/service_id", "manages"),
        ({"position": 0}, "/position", ""),
    ],
)
async def test_a_rule_that_is_wrong_is_refused(api, url, databases, wrong, pointer, says):
    answer = await api.post(url, json=rule(databases, "a=1") | wrong)

    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["pointer"] == pointer
    assert says in error["message"]
    assert await matchers_of(api, url) == []


async def test_one_wrong_rule_of_many_changes_nothing(api, url, databases):
    await api.post(url, json=rule(databases, "a=1"))
    wrong = {"matchers": ["b=1"], "service_id": str(uuid4())}

    answer = await api.put(url, json={"rules": [rule(databases, "c=1"), wrong]})

    assert answer.json()["errors"][0]["pointer"] == "/rules/1/service_id"
    assert await matchers_of(api, url) == [["a=1"]]


async def test_there_may_be_a_hundred_rules(api, url, databases):
    rules = [rule(databases, f"a={number}") for number in range(100)]

    full = await api.put(url, json={"rules": rules})
    more = await api.post(url, json=rule(databases, "a=100"))

    assert full.status_code == 200
    assert (more.status_code, more.json()["code"]) == (409, "too_many_rules")


async def test_an_unknown_rule_is_404(api, url, databases):
    answer = await api.put(f"{url}/{uuid4()}", json=rule(databases, "a=1"))

    assert (answer.status_code, answer.json()["code"]) == (404, "routing_rule_not_found")


async def test_rules_of_an_integration_go_with_it(api, transactions, stage, databases):
    async with transactions.open() as tx:
        integration, _ = await factories.make_integration(tx, stage.service)
    one = f"/v1/integrations/{integration.id}"
    await api.post(f"{one}/routing-rules", json=rule(databases, "a=1"))

    assert (await api.delete(one)).status_code == 204
    assert (await api.delete(f"/v1/services/{databases.id}")).status_code == 204


async def test_a_service_that_rules_name_is_not_deleted(api, url, databases):
    await api.post(url, json=rule(databases, "a=1"))

    answer = await api.delete(f"/v1/services/{databases.id}")

    assert answer.status_code == 409
    assert "Routing rules" in answer.json()["detail"]


async def test_a_test_says_which_rule_is_met_and_why_not_those_before(api, url, databases):
    await api.put(
        url, json={"rules": [rule(databases, "team=db", CRITICAL), rule(databases, "team=db")]}
    )

    answer = await api.post(f"{url}/test", json={"labels": {"team": "db", "severity": "info"}})

    result = answer.json()
    assert result["service_name"] == "Databases"
    assert result["rule_id"] == result["tried"][1]["rule_id"]
    assert result["why"] == 'Rule 2 is the first that is met: team="db".'
    first = result["tried"][0]
    assert (first["is_met"], first["failed_matcher"], first["found"]) == (False, CRITICAL, "info")


@pytest.mark.parametrize("there_are_rules", [True, False])
async def test_a_test_says_that_the_own_service_gets_the_rest(
    api, url, stage, databases, there_are_rules
):
    if there_are_rules:
        await api.post(url, json=rule(databases, "team=db"))

    result = (await api.post(f"{url}/test", json={"labels": {}})).json()

    assert (result["service_id"], result["rule_id"]) == (str(stage.service.id), None)
    assert "own service" in result["why"]


async def test_what_a_test_says_is_where_the_alert_goes(api, url, stage, databases):
    await api.post(url, json=rule(databases, CRITICAL))
    for severity in ("critical", "page", "warning"):
        labels = {"alertname": severity, "severity": severity}
        said = (await api.post(f"{url}/test", json={"labels": labels})).json()["service_id"]

        assert await service_of(api, await send(api, stage.key, labels)) == said


async def test_nobody_routes_alerts_to_a_team_that_it_does_not_manage(
    anonymous, transactions, url, stage
):
    async with transactions.open() as tx:
        team = await factories.make_team(tx)
        theirs = await factories.make_service(tx, team)
        await factories.make_membership(tx, team, stage.manager, Role.RESPONDER)
    scopes = ["read", "respond", "manage"]
    headers = await key_with(transactions, user_id=stage.manager.id, scopes=scopes)

    answer = await anonymous.post(url, json=rule(theirs, "a=1"), headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (422, "target_service_unknown")


async def test_a_rule_of_an_admin_to_another_team_stays_and_names_nobody(
    api, anonymous, transactions, url, stage
):
    async with transactions.open() as tx:
        theirs = await factories.make_service(tx, await factories.make_team(tx), name="Secret")
    made = (await api.post(url, json=rule(theirs, "a=1"))).json()["items"]
    scopes = ["read", "respond", "manage"]
    headers = await key_with(transactions, user_id=stage.manager.id, scopes=scopes)
    same = [{name: each[name] for name in ("matchers", "service_id")} for each in made]

    put = await anonymous.put(url, json={"rules": same}, headers=headers)
    test = await anonymous.post(f"{url}/test", json={"labels": {"a": "1"}}, headers=headers)

    assert put.status_code == 200
    assert test.json()["service_name"] == "a service of another team"


async def test_a_stored_rule_that_cannot_be_read_costs_no_alert(
    api, transactions, url, stage, databases
):
    await api.post(url, json=rule(databases, "a=1"))
    async with transactions.open() as tx:
        await tx.session.execute(update(RoutingRule).values(matchers=["a=~("]))

    result = await send(api, stage.key, {"a": "1"})

    assert await service_of(api, result) == str(stage.service.id)
