"""The examples fit their schemas, and those of requests are taken by the API, one after another."""

import json
from datetime import datetime
from typing import Any

import httpx
import pytest
from tests.contract import DOCUMENT, Contract

from incident_service.web.openapi.examples import world
from incident_service.web.openapi.examples.requests import REQUESTS
from incident_service.web.openapi.examples.responses import RESPONSES

SCHEMAS = "/components/schemas/"
INCIDENTS = f"/v1/incidents/{world.INCIDENT}"
# What is sent where, and which of the world's ids the answer stands for.
SENT: list[tuple[str, str, str, str | None]] = [
    ("TeamCreate", "POST", "/v1/teams", world.TEAM),
    ("TeamUpdate", "PATCH", f"/v1/teams/{world.TEAM}", None),
    ("UserCreate", "POST", "/v1/users", world.USER),
    ("MembershipPut", "PUT", f"/v1/teams/{world.TEAM}/members/{world.USER}", None),
    ("ContactMethodCreate", "POST", f"/v1/users/{world.USER}/contact-methods", None),
    ("TeamChannelCreate", "POST", f"/v1/teams/{world.TEAM}/channels", None),
    ("ApiKeyCreate", "POST", "/v1/api-keys", None),
    ("ScheduleCreate", "POST", "/v1/schedules", world.SCHEDULE),
    ("OverrideCreate", "POST", f"/v1/schedules/{world.SCHEDULE}/overrides", None),
    ("EscalationPolicyCreate", "POST", "/v1/escalation-policies", world.POLICY),
    ("ServiceCreate", "POST", "/v1/services", world.SERVICE),
    ("IntegrationCreate", "POST", "/v1/integrations", world.INTEGRATION),
    ("RoutingRulesPut", "PUT", f"/v1/integrations/{world.INTEGRATION}/routing-rules", None),
    ("AlertmanagerWebhook", "POST", "/v1/ingest/alertmanager/KEY", world.INCIDENT),
    ("IncidentCreate", "POST", "/v1/incidents", None),
    ("SnoozeRequest", "POST", f"{INCIDENTS}/snooze", None),
    ("ReassignRequest", "POST", f"{INCIDENTS}/reassign", None),
    ("EscalateRequest", "POST", f"{INCIDENTS}/escalate", None),
    ("VerbRequest", "POST", f"{INCIDENTS}/acknowledge", None),
    ("NoteRequest", "POST", f"{INCIDENTS}/notes", None),
    ("PriorityRequest", "POST", f"{INCIDENTS}/priority", None),
    ("BulkRequest", "POST", "/v1/incidents/bulk/acknowledge", None),
    ("ResolveRequest", "POST", f"{INCIDENTS}/resolve", None),
    ("SubscriptionCreate", "POST", "/v1/webhook-subscriptions", None),
]


@pytest.mark.parametrize("name", REQUESTS | RESPONSES)
def test_an_example_fits_its_schema(contract: Contract, name):
    example = (REQUESTS | RESPONSES)[name]
    answer = httpx.Response(200, json=example)

    assert list(contract.schema_differences(SCHEMAS + name, answer)) == []
    schema = contract.document["components"]["schemas"][name]
    assert schema["examples"] == [example]
    assert example.keys() <= schema["properties"].keys(), DOCUMENT


def test_every_request_example_is_sent():
    assert {name for name, *_ in SENT} == REQUESTS.keys()


async def arrange(api: httpx.AsyncClient) -> dict[str, str]:
    """Send all examples, and return the ids of what was made, by those of the world."""
    ids: dict[str, str] = {}
    for name, method, url, stands_for in SENT:
        body: Any = json.loads(translated(json.dumps(REQUESTS[name]), ids))
        answer = await api.request(method, translated(url, ids), json=body)
        assert answer.is_success, f"{name}: {answer.text}"
        read = answer.json()
        if stands_for == world.INCIDENT:
            ids[stands_for] = read["results"][0]["incident_id"]
        elif stands_for:
            ids[stands_for] = read["id"]
        if name == "IntegrationCreate":
            ids["KEY"] = read["key"]
    return ids


def translated(text: str, ids: dict[str, str]) -> str:
    """Put the ids of what was made in the place of the world's."""
    for of_example, real in ids.items():
        text = text.replace(of_example, real)
    return text


async def test_the_api_takes_the_examples_one_after_another(api, clock):
    clock.now = datetime.fromisoformat(world.BEGAN)

    ids = await arrange(api)

    assert translated(world.INCIDENT, ids) != world.INCIDENT
