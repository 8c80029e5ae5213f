"""Set the paging path up as a customer does: through the API alone."""

from dataclasses import dataclass
from typing import Any

import httpx


@dataclass
class Customer:
    """What a customer has after setting up: ids, and the key for Alertmanager."""

    api: httpx.AsyncClient
    team_id: str
    user_ids: list[str]
    policy_id: str
    service_id: str
    ingest_key: str

    async def webhook(self, *alerts: dict[str, Any], **changes: Any) -> httpx.Response:
        """Send what Alertmanager sends."""
        body = {"version": "4", "status": "firing", "groupLabels": {}, "alerts": list(alerts)}
        return await self.api.post(
            "/v1/ingest/alertmanager",
            json=body | changes,
            headers={"Authorization": f"Bearer {self.ingest_key}"},
        )

    async def incidents(self, **params: Any) -> list[dict[str, Any]]:
        answer = await self.api.get("/v1/incidents", params={"limit": 200} | params)
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    async def do(self, verb: str, incident_id: str, **body: Any) -> httpx.Response:
        return await self.api.post(f"/v1/incidents/{incident_id}/{verb}", json=body)

    async def of(self, incident_id: str, what: str) -> list[dict[str, Any]]:
        answer = await self.api.get(f"/v1/incidents/{incident_id}/{what}", params={"limit": 200})
        items: list[dict[str, Any]] = answer.json()["items"]
        return items


def firing(name: str, starts_at: str = "2026-11-02T11:00:00Z", **labels: str) -> dict[str, Any]:
    """One firing alert as Alertmanager writes it."""
    return {
        "status": "firing",
        "labels": {"alertname": name, "severity": "critical"} | labels,
        "annotations": {"summary": name},
        "startsAt": starts_at,
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example/graph",
    }


def resolved(
    name: str,
    starts_at: str = "2026-11-02T11:00:00Z",
    ends_at: str = "2026-11-02T11:30:00Z",
    **labels: str,
) -> dict[str, Any]:
    """The end of it."""
    return firing(name, starts_at, **labels) | {"status": "resolved", "endsAt": ends_at}


async def create(api: httpx.AsyncClient, path: str, **body: Any) -> dict[str, Any]:
    answer = await api.post(path, json=body)
    assert answer.status_code == 201, answer.text
    created: dict[str, Any] = answer.json()
    return created


async def set_up(
    api: httpx.AsyncClient,
    addresses: list[str],
    *,
    bundle: bool = True,
    policy: dict[str, Any] | None = None,
    service: dict[str, Any] | None = None,
    timeout_minutes: int = 5,
) -> Customer:
    """Make a team with one user and one level for each webhook address."""
    team = await create(api, "/v1/teams", name="Payments")
    users = []
    for number, address in enumerate(addresses, start=1):
        user = await create(
            api, "/v1/users", name=f"Responder {number}", email=f"r{number}@example.org"
        )
        await api.put(f"/v1/teams/{team['id']}/members/{user['id']}", json={"role": "responder"})
        await create(
            api,
            f"/v1/users/{user['id']}/contact-methods",
            kind="webhook",
            address=address,
            bundle=bundle,
        )
        users.append(user["id"])
    levels = [
        {"target_type": "user", "target_id": user, "timeout_minutes": timeout_minutes}
        for user in users
    ]
    made_policy = await create(
        api,
        "/v1/escalation-policies",
        **{"team_id": team["id"], "name": "Primary", "levels": levels} | (policy or {}),
    )
    made_service = await create(
        api,
        "/v1/services",
        **{"team_id": team["id"], "name": "Checkout", "escalation_policy_id": made_policy["id"]}
        | (service or {}),
    )
    integration = await create(
        api,
        "/v1/integrations",
        service_id=made_service["id"],
        name="Alertmanager",
        kind="alertmanager",
    )
    return Customer(
        api, team["id"], users, made_policy["id"], made_service["id"], integration["key"]
    )
