"""Every list of the API, each with a way to add to it."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from tests import factories
from tests.factories import serial
from tests.teams.test_permissions import World

from incident_service.alerts import quarantine
from incident_service.alerts.incoming import Rejected

Add = Callable[[], Awaitable[Any]]
List = Callable[[World], Awaitable[tuple[str, Add]]]
"""Makes a list's path, and what adds an item to it."""


def of(path: str, kind: str) -> List:
    """Describe a list to which each fresh `kind` of thing of the world is added."""

    async def make(world: World) -> tuple[str, Add]:
        return f"/v1/{path.format(world=world)}", getattr(world, kind)

    return make


async def teams(world: World) -> tuple[str, Add]:
    async def add() -> None:
        async with world.transactions.open() as tx:
            await factories.make_team(tx)

    return "/v1/teams", add


async def audit_log(world: World) -> tuple[str, Add]:
    url = f"/v1/teams/{world.stage.team.id}"
    return "/v1/audit-log", lambda: world.api.patch(url, json={"name": f"Name {next(serial)}"})


async def overrides(world: World) -> tuple[str, Add]:
    url = f"/v1/schedules/{await world.schedule()}/overrides"

    async def add() -> None:
        starts_at = world.stage.clock.now + timedelta(hours=next(serial))
        times = {"starts_at": starts_at, "ends_at": starts_at + timedelta(hours=1)}
        body = {name: at.isoformat() for name, at in times.items()}
        await world.api.post(url, json=world.new_override() | body)

    return url, add


async def routing_rules(world: World) -> tuple[str, Add]:
    url = f"/v1/{await world.rules_path()}"
    return url, lambda: world.api.post(url, json=world.rule())


async def timeline(world: World) -> tuple[str, Add]:
    url = f"/v1/incidents/{(await world.incident()).id}"
    return f"{url}/timeline", lambda: world.api.post(f"{url}/notes", json={"text": "Seen."})


async def incident_alerts(world: World) -> tuple[str, Add]:
    await world.stage.fire("Disk")

    async def add() -> None:
        await world.stage.clear("Disk")
        world.stage.clock.now += timedelta(minutes=1)
        await world.stage.refire("Disk")

    return f"/v1/incidents/{(await world.stage.incident()).id}/alerts", add


async def rejected_alerts(world: World) -> tuple[str, Add]:
    integration = await world.integration()

    async def add() -> None:
        async with world.transactions.open() as tx:
            await quarantine.keep(tx, integration.id, [Rejected(0, "no_identity", "No.")])

    return f"/v1/integrations/{integration.id}/rejected-alerts", add


def of_climb(what: str) -> List:
    async def make(world: World) -> tuple[str, Add]:
        incident = await world.incident()
        return f"/v1/incidents/{incident.id}/{what}", lambda: world.stage.wait(5)

    return make


async def deliveries(world: World) -> tuple[str, Add]:
    subscription = f"/v1/webhook-subscriptions/{await world.subscription()}"
    return f"{subscription}/deliveries", lambda: world.api.post(f"{subscription}/test")


LISTS: dict[str, List] = {
    "list_teams": teams,
    "list_members": of("teams/{world.stage.team.id}/members", "member"),
    "list_team_channels": of("teams/{world.stage.team.id}/channels", "channel"),
    "list_users": of("users", "member"),
    "list_contact_methods": of("users/{world.colleague.id}/contact-methods", "contact_method"),
    "list_api_keys": of("api-keys", "api_key"),
    "list_audit_log": audit_log,
    "list_schedules": of("schedules", "schedule"),
    "list_on_call": of("on-call", "schedule"),
    "list_overrides": overrides,
    "list_escalation_policies": of("escalation-policies", "policy"),
    "list_services": of("services", "service"),
    "list_integrations": of("integrations", "integration"),
    "list_routing_rules": routing_rules,
    "list_incidents": of("incidents", "incident"),
    "list_alerts": of("alerts", "incident"),
    "list_maintenance_windows": of("maintenance-windows", "maintenance"),
    "list_timeline": timeline,
    "list_incident_alerts": incident_alerts,
    "list_rejected_alerts": rejected_alerts,
    "list_notifications": of_climb("notifications"),
    "list_escalation_jobs": of_climb("escalation-jobs"),
    "list_webhook_subscriptions": of("webhook-subscriptions", "subscription"),
    "list_webhook_deliveries": deliveries,
}
