"""Who may do what: every operation of the API, tried by every kind of caller.

One row an operation, one column a caller, all of it about what one team owns:

    ok    done, or refused for a reason that has nothing to do with the caller
    none  the list is empty
    401   no key
    403   seen, but not allowed
    404   does not exist for this caller
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Self

import httpx
import pytest
from fastapi import FastAPI
from tests import factories
from tests.credentials import ALL_BUT_ADMIN, key_with, limited_to
from tests.factories import serial
from tests.kept import Kept
from tests.stage import Stage

from incident_service.alerts import quarantine
from incident_service.alerts.incoming import Rejected
from incident_service.core.db import Transactions
from incident_service.core.ids import new_id
from incident_service.incidents.lifecycle import Status
from incident_service.notifications.notes import send_note
from incident_service.teams.models import Channel, Role, Team, User

# "admin" is limited to nothing, "tool" neither but lacks the scope `admin`, "reader" has `read`
# alone. "ours" and "theirs" are keys that are limited to a team. The rest are people's own keys
# without `admin`; the outsider manages another team. Verbs on many incidents answer for each.
TABLE = """
                               nobody admin tool  reader ours theirs  manager responder observer outsider
list_teams                        401   ok   ok   ok     ok   none    ok      ok        ok       none
create_team                       401   ok   ok   403    403  403     403     403       403      403
get_team                          401   ok   ok   ok     ok   404     ok      ok        ok       404
update_team                       401   ok   ok   403    ok   404     ok      403       403      404
delete_team                       401   ok   ok   403    403  404     403     403       403      404
list_members                      401   ok   ok   ok     ok   404     ok      ok        ok       404
put_member                        401   ok   ok   403    ok   404     ok      403       403      404
delete_member                     401   ok   ok   403    ok   404     ok      403       403      404
list_team_channels                401   ok   ok   ok     ok   404     ok      ok        ok       404
create_team_channel               401   ok   ok   403    ok   404     ok      403       403      404
get_team_channel                  401   ok   ok   ok     ok   404     ok      ok        ok       404
update_team_channel               401   ok   ok   403    ok   404     ok      403       403      404
delete_team_channel               401   ok   ok   403    ok   404     ok      403       403      404
rotate_team_channel_secret        401   ok   ok   403    ok   404     ok      403       403      404
test_team_channel                 401   ok   ok   403    ok   404     ok      403       403      404
list_users                        401   ok   ok   ok     ok   ok      ok      ok        ok       ok
create_user                       401   ok   ok   403    403  403     403     403       403      403
get_user                          401   ok   ok   ok     ok   ok      ok      ok        ok       ok
update_user                       401   ok   ok   403    ok   403     ok      403       403      403
delete_user                       401   ok   ok   403    403  403     403     403       403      403
list_contact_methods              401   ok   ok   ok     ok   403     ok      ok        ok       403
create_contact_method             401   ok   ok   403    ok   403     ok      403       403      403
get_contact_method                401   ok   ok   ok     ok   403     ok      ok        ok       403
update_contact_method             401   ok   ok   403    ok   403     ok      403       403      403
delete_contact_method             401   ok   ok   403    ok   403     ok      403       403      403
rotate_contact_method_secret      401   ok   ok   403    ok   403     ok      403       403      403
get_notification_rules            401   ok   ok   ok     ok   403     ok      ok        ok       403
replace_notification_rules        401   ok   ok   403    ok   403     ok      403       403      403
test_contact_method               401   ok   ok   403    ok   403     ok      403       403      403
send_contact_method_code          401   ok   ok   403    ok   403     ok      403       403      403
verify_contact_method             401   ok   ok   403    ok   403     ok      403       403      403
get_page                          401   ok   ok   ok     ok   403     ok      ok        ok       403
list_api_keys                     401   ok   403  403    403  403     403     403       403      403
create_api_key                    401   ok   403  403    403  403     403     403       403      403
get_api_key                       401   ok   403  403    403  403     403     403       403      403
update_api_key                    401   ok   403  403    403  403     403     403       403      403
revoke_api_key                    401   ok   403  403    403  403     403     403       403      403
delete_api_key                    401   ok   403  403    403  403     403     403       403      403
list_audit_log                    401   ok   ok   403    ok   none    ok      none      none     none
list_schedules                    401   ok   ok   ok     ok   none    ok      ok        ok       none
create_schedule                   401   ok   ok   403    ok   404     ok      403       403      404
preview_schedule                  401   ok   ok   ok     ok   ok      ok      ok        ok       ok
get_schedule                      401   ok   ok   ok     ok   404     ok      ok        ok       404
update_schedule                   401   ok   ok   403    ok   404     ok      403       403      404
delete_schedule                   401   ok   ok   403    ok   404     ok      403       403      404
get_schedule_on_call              401   ok   ok   ok     ok   404     ok      ok        ok       404
list_shifts                       401   ok   ok   ok     ok   404     ok      ok        ok       404
list_gaps                         401   ok   ok   ok     ok   404     ok      ok        ok       404
list_on_call                      401   ok   ok   ok     ok   none    ok      ok        ok       none
list_overrides                    401   ok   ok   ok     ok   404     ok      ok        ok       404
create_override                   401   ok   ok   403    ok   404     ok      ok        403      404
delete_override                   401   ok   ok   403    ok   404     ok      ok        403      404
open_calendar_feed                401   ok   ok   403    ok   404     ok      403       403      404
close_calendar_feed               401   ok   ok   403    ok   404     ok      403       403      404
list_escalation_policies          401   ok   ok   ok     ok   none    ok      ok        ok       none
create_escalation_policy          401   ok   ok   403    ok   404     ok      403       403      404
get_escalation_policy             401   ok   ok   ok     ok   404     ok      ok        ok       404
preview_escalation_policy         401   ok   ok   ok     ok   404     ok      ok        ok       404
update_escalation_policy          401   ok   ok   403    ok   404     ok      403       403      404
add_level                         401   ok   ok   403    ok   404     ok      403       403      404
replace_level                     401   ok   ok   403    ok   404     ok      403       403      404
remove_level                      401   ok   ok   403    ok   404     ok      403       403      404
delete_escalation_policy          401   ok   ok   403    ok   404     ok      403       403      404
list_services                     401   ok   ok   ok     ok   none    ok      ok        ok       none
create_service                    401   ok   ok   403    ok   404     ok      403       403      404
get_service                       401   ok   ok   ok     ok   404     ok      ok        ok       404
update_service                    401   ok   ok   403    ok   404     ok      403       403      404
delete_service                    401   ok   ok   403    ok   404     ok      403       403      404
list_integrations                 401   ok   ok   ok     ok   none    ok      ok        ok       none
create_integration                401   ok   ok   403    ok   404     ok      403       403      404
get_integration                   401   ok   ok   ok     ok   404     ok      ok        ok       404
update_integration                401   ok   ok   403    ok   404     ok      403       403      404
rotate_integration_key            401   ok   ok   403    ok   404     ok      403       403      404
delete_integration                401   ok   ok   403    ok   404     ok      403       403      404
list_routing_rules                401   ok   ok   ok     ok   404     ok      ok        ok       404
replace_routing_rules             401   ok   ok   403    ok   404     ok      403       403      404
add_routing_rule                  401   ok   ok   403    ok   404     ok      403       403      404
replace_routing_rule              401   ok   ok   403    ok   404     ok      403       403      404
remove_routing_rule               401   ok   ok   403    ok   404     ok      403       403      404
test_routing_rules                401   ok   ok   ok     ok   404     ok      ok        ok       404
list_incidents                    401   ok   ok   ok     ok   none    ok      ok        ok       none
stream_incidents                  401   ok   ok   ok     ok   ok      ok      ok        ok       ok
get_incident                      401   ok   ok   ok     ok   404     ok      ok        ok       404
list_timeline                     401   ok   ok   ok     ok   404     ok      ok        ok       404
list_incident_alerts              401   ok   ok   ok     ok   404     ok      ok        ok       404
get_incident_report               401   ok   ok   ok     ok   404     ok      ok        ok       404
get_analytics                     401   ok   ok   ok     ok   ok      ok      ok        ok       ok
list_alerts                       401   ok   ok   ok     ok   none    ok      ok        ok       none
list_rejected_alerts              401   ok   ok   ok     ok   404     ok      ok        ok       404
list_notifications                401   ok   ok   ok     ok   404     ok      ok        ok       404
list_escalation_jobs              401   ok   ok   ok     ok   404     ok      ok        ok       404
create_incident                   401   ok   ok   403    ok   404     ok      ok        403      404
acknowledge_incident              401   ok   ok   403    ok   404     ok      ok        403      404
unacknowledge_incident            401   ok   ok   403    ok   404     ok      ok        403      404
snooze_incident                   401   ok   ok   403    ok   404     ok      ok        403      404
escalate_incident                 401   ok   ok   403    ok   404     ok      ok        403      404
reassign_incident                 401   ok   ok   403    ok   404     ok      ok        403      404
change_incident_priority          401   ok   ok   403    ok   404     ok      ok        403      404
add_incident_note                 401   ok   ok   403    ok   404     ok      ok        403      404
relate_incidents                  401   ok   ok   403    ok   404     ok      ok        403      404
unrelate_incidents                401   ok   ok   403    ok   404     ok      ok        403      404
acknowledge_incidents             401   ok   ok   403    ok   ok      ok      ok        ok       ok
resolve_incidents                 401   ok   ok   403    ok   ok      ok      ok        ok       ok
resolve_incident                  401   ok   ok   403    ok   404     ok      ok        403      404
close_incident                    401   ok   ok   403    ok   404     ok      ok        403      404
reopen_incident                   401   ok   ok   403    ok   404     ok      ok        403      404
list_maintenance_windows          401   ok   ok   ok     ok   none    ok      ok        ok       none
create_maintenance_window         401   ok   ok   403    ok   404     ok      ok        403      404
get_maintenance_window            401   ok   ok   ok     ok   404     ok      ok        ok       404
update_maintenance_window         401   ok   ok   403    ok   404     ok      ok        403      404
end_maintenance_window            401   ok   ok   403    ok   404     ok      ok        403      404
delete_maintenance_window         401   ok   ok   403    ok   404     ok      ok        403      404
list_webhook_subscriptions        401   ok   ok   ok     ok   none    ok      ok        ok       none
create_webhook_subscription       401   ok   ok   403    ok   404     ok      403       403      404
get_webhook_subscription          401   ok   ok   ok     ok   404     ok      ok        ok       404
update_webhook_subscription       401   ok   ok   403    ok   404     ok      403       403      404
delete_webhook_subscription       401   ok   ok   403    ok   404     ok      403       403      404
rotate_webhook_subscription_secret 401   ok   ok   403    ok   404     ok      403       403      404
test_webhook_subscription         401   ok   ok   403    ok   404     ok      403       403      404
list_webhook_deliveries           401   ok   ok   ok     ok   404     ok      ok        ok       404
redeliver_webhook                 401   ok   ok   403    ok   404     ok      403       403      404
"""  # noqa: E501 - a table
CALLERS, *LINES = [line.split() for line in TABLE.strip().splitlines()]
ROWS = {operation: expected for operation, *expected in LINES}
NOT_IN_TABLE = {
    "get_liveness",
    "get_readiness",
    "ingest_alertmanager",
    "ingest_alertmanager_with_key",
    "get_calendar_feed",  # its address carries its own key
}


@dataclass
class World:
    """What one team owns, and a fresh one of it for each caller that might use it up."""

    api: httpx.AsyncClient
    stage: Stage
    transactions: Transactions
    colleague: User = field(init=False)
    people: dict[str, User] = field(init=False)
    callers: dict[str, dict[str, str]] = field(init=False)

    async def set_up(self, kept: Kept) -> Self:
        key = ("world", self.stage.clock.now, self.stage.team.id)
        self.colleague, self.people, self.callers = await kept.once(key, self._cast)
        return self

    async def _cast(self) -> tuple[User, dict[str, User], dict[str, dict[str, str]]]:
        """Make a colleague who calls nobody, people who call, and the headers of all callers."""
        stage, of_person = self.stage, {"scopes": list(ALL_BUT_ADMIN)}
        async with self.transactions.open() as tx:
            others = await factories.make_team(tx)
            observer = await factories.make_user(tx, team=stage.team, role=Role.OBSERVER)
            outsider = await factories.make_user(tx, team=others, role=Role.MANAGER)
            colleague = await factories.make_user(tx, team=stage.team)
        people = {
            "manager": stage.manager,
            "responder": stage.first,
            "observer": observer,
            "outsider": outsider,
        }
        callers = {
            "nobody": {},
            "admin": await key_with(self.transactions, scopes=["admin"]),
            "tool": await key_with(self.transactions, **of_person),
            "reader": await key_with(self.transactions, scopes=["read"]),
            "ours": await limited_to(self.transactions, stage.team),
            "theirs": await limited_to(self.transactions, others),
        } | {
            name: await key_with(self.transactions, user_id=person.id, **of_person)
            for name, person in people.items()
        }
        return colleague, people, callers

    async def team(self) -> Team:
        return self.stage.team

    async def free_person(self) -> Any:
        async with self.transactions.open() as tx:
            return await factories.make_user(tx, name="Lonely", address=None)

    async def member(self) -> Any:
        async with self.transactions.open() as tx:
            return await factories.make_user(tx, team=self.stage.team)

    async def contact_method(self) -> Any:
        async with self.transactions.open() as tx:
            return await factories.make_contact_method(tx, self.colleague)

    async def channel(self) -> Any:
        async with self.transactions.open() as tx:
            return await factories.make_team_channel(tx, self.stage.team)

    async def unverified(self) -> Any:
        async with self.transactions.open() as tx:
            since = {"unverified_since": tx.now, "kind": Channel.NTFY}
            return await factories.make_contact_method(
                tx, self.colleague, address=f"topic-{next(serial)}", **since
            )

    async def note(self) -> Any:
        method = await self.contact_method()
        async with self.transactions.open() as tx:
            return await send_note(tx, method, "A test.")

    async def api_key(self) -> str:
        body = {"name": f"Key {next(serial)}", "scopes": ["read"]}
        return str((await self.api.post("/v1/api-keys", json=body)).json()["id"])

    async def schedule(self) -> str:
        return str((await self.api.post("/v1/schedules", json=self.new_schedule())).json()["id"])

    async def override(self, schedule_id: str) -> str:
        url = f"/v1/schedules/{schedule_id}/overrides"
        return str((await self.api.post(url, json=self.new_override())).json()["id"])

    async def policy(self) -> Any:
        async with self.transactions.open() as tx:
            people = [self.colleague, self.stage.second]
            return await factories.make_policy(tx, self.stage.team, people)

    async def service(self) -> Any:
        async with self.transactions.open() as tx:
            return await factories.make_service(tx, self.stage.team)

    async def integration(self) -> Any:
        async with self.transactions.open() as tx:
            return (await factories.make_integration(tx, self.stage.service))[0]

    async def sender_of_nonsense(self) -> Any:
        integration = await self.integration()
        async with self.transactions.open() as tx:
            await quarantine.keep(tx, integration.id, [Rejected(0, "no_identity", "No.")])
        return integration

    async def rules_path(self) -> str:
        """The path of an integration's list of one rule."""
        path = f"integrations/{(await self.integration()).id}/routing-rules"
        await self.api.post(f"/v1/{path}", json=self.rule())
        return path

    async def rule_path(self) -> str:
        path = await self.rules_path()
        listed = (await self.api.get(f"/v1/{path}")).json()["items"]
        return f"{path}/{listed[0]['id']}"

    def rule(self) -> dict[str, Any]:
        return {"matchers": ["team=db"], "service_id": str(self.stage.service.id)}

    async def incident(self) -> Any:
        await self.stage.fire(f"Alert {next(serial)}")
        return (await self.stage.incidents())[-1]

    async def two_incidents(self) -> str:
        """The path that ends in the link between two incidents."""
        return f"{(await self.incident()).id}/related/{(await self.incident()).id}"

    async def resolved(self) -> Any:
        incident = await self.incident()
        await self.stage.do("resolve", incident)
        return incident

    async def subscription(self) -> str:
        made = await self.api.post("/v1/webhook-subscriptions", json=self.new_subscription())
        return str(made.json()["id"])

    async def deliveries_path(self) -> str:
        """The path of a delivery log with an entry."""
        path = f"webhook-subscriptions/{await self.subscription()}"
        await self.api.post(f"/v1/{path}/test")
        return f"{path}/deliveries"

    async def delivery_path(self) -> str:
        """The path of a delivery that is still on its way."""
        path = await self.deliveries_path()
        listed = (await self.api.get(f"/v1/{path}")).json()["items"]
        return f"{path}/{listed[0]['id']}"

    async def maintenance(self) -> str:
        made = await self.api.post("/v1/maintenance-windows", json=self.new_maintenance())
        return str(made.json()["id"])

    async def planned_maintenance(self) -> str:
        later = self.stage.clock.now + timedelta(minutes=30)
        body = self.new_maintenance() | {"starts_at": later.isoformat()}
        return str((await self.api.post("/v1/maintenance-windows", json=body)).json()["id"])

    def new_maintenance(self) -> dict[str, Any]:
        ends_at = self.stage.clock.now + timedelta(hours=1)
        return {
            "team_id": str(self.stage.team.id),
            "ends_at": ends_at.isoformat(),
            "reason": f"Move {next(serial)}",
        }

    def new_subscription(self) -> dict[str, Any]:
        return self.of_team() | {"url": "https://hooks.example/incidents"}

    def new_schedule(self) -> dict[str, Any]:
        return self.of_team() | {
            "time_zone": "UTC",
            "layers": [{"name": "Weekly", "participants": [str(self.colleague.id)]}],
        }

    def new_override(self) -> dict[str, Any]:
        starts_at = self.stage.clock.now
        return {
            "user_id": str(self.stage.second.id),
            "starts_at": starts_at.isoformat(),
            "ends_at": (starts_at + timedelta(hours=1)).isoformat(),
        }

    def of_team(self) -> dict[str, Any]:
        return {"team_id": str(self.stage.team.id), "name": f"Name {next(serial)}"}

    def level(self) -> dict[str, Any]:
        return {"target_type": "user", "target_id": str(self.colleague.id), "timeout_minutes": 5}


Request = tuple[str, str, Any]
"""Method, path and body."""


def of(
    kind: str, method: str, path: str, body: Callable[[World], Any] | None = None
) -> Callable[[World], Awaitable[Request]]:
    """Describe a request about a fresh `kind` of thing."""

    async def make(world: World) -> Request:
        thing = await getattr(world, kind)()
        path_of_it = path.format(getattr(thing, "id", thing), world=world)
        return method, f"/v1/{path_of_it}", body(world) if body else None

    return make


async def of_overrides(world: World) -> Request:
    schedule = await world.schedule()
    await world.override(schedule)
    return "GET", f"/v1/schedules/{schedule}/overrides", None


async def of_override(world: World) -> Request:
    schedule = await world.schedule()
    return "DELETE", f"/v1/schedules/{schedule}/overrides/{await world.override(schedule)}", None


def named(**more: Any) -> Callable[[World], Any]:
    return lambda _world: {"name": f"Name {next(serial)}"} | more


def saying(body: dict[str, Any]) -> Callable[[World], Any]:
    return lambda _world: body


def no_incident(_world: World) -> dict[str, Any]:
    return {"incident_ids": [str(new_id())]}


IN_TEAM = World.of_team
SEEN = saying({"current_level": 1, "current_repeat": 1})
RULES = "users/{world.colleague.id}/notification-rules"
CHANNELS = "teams/{world.stage.team.id}/channels"
METHODS = "users/{world.colleague.id}/contact-methods"
REQUESTS: dict[str, Callable[[World], Awaitable[Request]]] = {
    "list_teams": of("team", "GET", "teams"),
    "create_team": of("team", "POST", "teams", named()),
    "get_team": of("team", "GET", "teams/{}"),
    "update_team": of("team", "PATCH", "teams/{}", named()),
    "delete_team": of("team", "DELETE", "teams/{}"),
    "list_members": of("team", "GET", "teams/{}/members"),
    "put_member": of(
        "free_person", "PUT", "teams/{world.stage.team.id}/members/{}", saying({"role": "manager"})
    ),
    "delete_member": of("member", "DELETE", "teams/{world.stage.team.id}/members/{}"),
    "list_team_channels": of("channel", "GET", CHANNELS),
    "create_team_channel": of(
        "team", "POST", CHANNELS, named(kind="slack", address="https://chat.example/hook")
    ),
    "get_team_channel": of("channel", "GET", CHANNELS + "/{}"),
    "update_team_channel": of("channel", "PATCH", CHANNELS + "/{}", named()),
    "delete_team_channel": of("channel", "DELETE", CHANNELS + "/{}"),
    "rotate_team_channel_secret": of("channel", "POST", CHANNELS + "/{}/rotate-secret"),
    "test_team_channel": of("channel", "POST", CHANNELS + "/{}/test"),
    "list_users": of("member", "GET", "users?limit=200"),
    "create_user": of(
        "team", "POST", "users", lambda _: {"name": "New", "email": f"{next(serial)}@example.org"}
    ),
    "get_user": of("member", "GET", "users/{}"),
    "update_user": of("member", "PATCH", "users/{}", named()),
    "delete_user": of("free_person", "DELETE", "users/{}"),
    "list_contact_methods": of("contact_method", "GET", f"{METHODS}?limit=200"),
    "create_contact_method": of(
        "team",
        "POST",
        METHODS,
        lambda _: {"kind": "webhook", "address": f"https://pager.example/new/{next(serial)}"},
    ),
    "get_contact_method": of("contact_method", "GET", METHODS + "/{}"),
    "update_contact_method": of(
        "contact_method", "PATCH", METHODS + "/{}", saying({"bundle": False})
    ),
    "delete_contact_method": of("contact_method", "DELETE", METHODS + "/{}"),
    "rotate_contact_method_secret": of("contact_method", "POST", METHODS + "/{}/rotate-secret"),
    "get_notification_rules": of("contact_method", "GET", RULES),
    "replace_notification_rules": of("contact_method", "PUT", RULES, saying({"rules": []})),
    "test_contact_method": of("contact_method", "POST", METHODS + "/{}/test"),
    "send_contact_method_code": of("unverified", "POST", METHODS + "/{}/send-code"),
    "verify_contact_method": of(
        "unverified", "POST", METHODS + "/{}/verify", saying({"code": "AAAAAAAA"})
    ),
    "get_page": of("note", "GET", "pages/{}"),
    "list_api_keys": of("api_key", "GET", "api-keys?limit=200"),
    "create_api_key": of("team", "POST", "api-keys", named(scopes=["read"])),
    "get_api_key": of("api_key", "GET", "api-keys/{}"),
    "update_api_key": of("api_key", "PATCH", "api-keys/{}", named()),
    "revoke_api_key": of("api_key", "POST", "api-keys/{}/revoke"),
    "delete_api_key": of("api_key", "DELETE", "api-keys/{}"),
    "list_audit_log": of("team", "GET", "audit-log?resource_id={}"),
    "list_schedules": of("schedule", "GET", "schedules"),
    "create_schedule": of("team", "POST", "schedules", World.new_schedule),
    "preview_schedule": of(
        "team",
        "POST",
        "schedules/preview",
        lambda world: {
            name: value
            for name, value in world.new_schedule().items()
            if name in ("time_zone", "layers")
        },
    ),
    "get_schedule": of("schedule", "GET", "schedules/{}"),
    "update_schedule": of("schedule", "PATCH", "schedules/{}", named()),
    "delete_schedule": of("schedule", "DELETE", "schedules/{}"),
    "get_schedule_on_call": of("schedule", "GET", "schedules/{}/on-call"),
    "list_shifts": of("schedule", "GET", "schedules/{}/shifts"),
    "list_gaps": of("schedule", "GET", "schedules/{}/gaps"),
    "list_on_call": of("schedule", "GET", "on-call"),
    "list_overrides": of_overrides,
    "create_override": of("schedule", "POST", "schedules/{}/overrides", World.new_override),
    "delete_override": of_override,
    "open_calendar_feed": of("schedule", "POST", "schedules/{}/calendar-feed"),
    "close_calendar_feed": of("schedule", "DELETE", "schedules/{}/calendar-feed"),
    "list_escalation_policies": of("policy", "GET", "escalation-policies"),
    "create_escalation_policy": of("team", "POST", "escalation-policies", IN_TEAM),
    "get_escalation_policy": of("policy", "GET", "escalation-policies/{}"),
    "preview_escalation_policy": of("policy", "GET", "escalation-policies/{}/preview"),
    "update_escalation_policy": of("policy", "PATCH", "escalation-policies/{}", named()),
    "add_level": of("policy", "POST", "escalation-policies/{}/levels", World.level),
    "replace_level": of("policy", "PUT", "escalation-policies/{}/levels/1", World.level),
    "remove_level": of("policy", "DELETE", "escalation-policies/{}/levels/1"),
    "delete_escalation_policy": of("policy", "DELETE", "escalation-policies/{}"),
    "list_services": of("service", "GET", "services"),
    "create_service": of("team", "POST", "services", IN_TEAM),
    "get_service": of("service", "GET", "services/{}"),
    "update_service": of("service", "PATCH", "services/{}", named()),
    "delete_service": of("service", "DELETE", "services/{}"),
    "list_integrations": of("integration", "GET", "integrations"),
    "create_integration": of(
        "service",
        "POST",
        "integrations",
        lambda world: named(service_id=str(world.stage.service.id), kind="alertmanager")(world),
    ),
    "get_integration": of("integration", "GET", "integrations/{}"),
    "update_integration": of("integration", "PATCH", "integrations/{}", named()),
    "rotate_integration_key": of("integration", "POST", "integrations/{}/rotate-key"),
    "delete_integration": of("integration", "DELETE", "integrations/{}"),
    "list_routing_rules": of("rules_path", "GET", "{}"),
    "replace_routing_rules": of("rules_path", "PUT", "{}", lambda w: {"rules": [w.rule()]}),
    "add_routing_rule": of("rules_path", "POST", "{}", World.rule),
    "replace_routing_rule": of("rule_path", "PUT", "{}", World.rule),
    "remove_routing_rule": of("rule_path", "DELETE", "{}"),
    "test_routing_rules": of("rules_path", "POST", "{}/test", saying({"labels": {}})),
    "list_incidents": of("incident", "GET", "incidents"),
    "stream_incidents": of("incident", "GET", "incidents/stream"),
    "get_incident": of("incident", "GET", "incidents/{}"),
    "list_timeline": of("incident", "GET", "incidents/{}/timeline"),
    "list_incident_alerts": of("incident", "GET", "incidents/{}/alerts"),
    "get_incident_report": of("incident", "GET", "incidents/{}/report"),
    "get_analytics": of("incident", "GET", "analytics"),
    "list_alerts": of("incident", "GET", "alerts"),
    "list_rejected_alerts": of("sender_of_nonsense", "GET", "integrations/{}/rejected-alerts"),
    "list_notifications": of("incident", "GET", "incidents/{}/notifications"),
    "list_escalation_jobs": of("incident", "GET", "incidents/{}/escalation-jobs"),
    "create_incident": of(
        "service",
        "POST",
        "incidents",
        lambda world: {
            "service_id": str(world.stage.service.id),
            "title": f"Trouble {next(serial)}",
            "priority": "high",
        },
    ),
    "acknowledge_incident": of("incident", "POST", "incidents/{}/acknowledge"),
    "unacknowledge_incident": of("incident", "POST", "incidents/{}/unacknowledge"),
    "snooze_incident": of(
        "incident",
        "POST",
        "incidents/{}/snooze",
        lambda world: {"until": (world.stage.clock.now + timedelta(hours=1)).isoformat()},
    ),
    "escalate_incident": of("incident", "POST", "incidents/{}/escalate", SEEN),
    "reassign_incident": of(
        "incident",
        "POST",
        "incidents/{}/reassign",
        lambda world: {"escalation_policy_id": str(world.stage.policy.id)},
    ),
    "change_incident_priority": of(
        "incident", "POST", "incidents/{}/priority", saying({"priority": "high"})
    ),
    "add_incident_note": of("incident", "POST", "incidents/{}/notes", saying({"text": "Seen."})),
    "relate_incidents": of("two_incidents", "PUT", "incidents/{}"),
    "unrelate_incidents": of("two_incidents", "DELETE", "incidents/{}"),
    "acknowledge_incidents": of("team", "POST", "incidents/bulk/acknowledge", no_incident),
    "resolve_incidents": of("team", "POST", "incidents/bulk/resolve", no_incident),
    "resolve_incident": of("incident", "POST", "incidents/{}/resolve"),
    "close_incident": of("resolved", "POST", "incidents/{}/close"),
    "reopen_incident": of("resolved", "POST", "incidents/{}/reopen"),
    "list_maintenance_windows": of("maintenance", "GET", "maintenance-windows"),
    "create_maintenance_window": of("team", "POST", "maintenance-windows", World.new_maintenance),
    "get_maintenance_window": of("maintenance", "GET", "maintenance-windows/{}"),
    "update_maintenance_window": of(
        "maintenance", "PATCH", "maintenance-windows/{}", saying({"reason": "Longer"})
    ),
    "end_maintenance_window": of("maintenance", "POST", "maintenance-windows/{}/end"),
    "delete_maintenance_window": of("planned_maintenance", "DELETE", "maintenance-windows/{}"),
    "list_webhook_subscriptions": of("subscription", "GET", "webhook-subscriptions"),
    "create_webhook_subscription": of(
        "team", "POST", "webhook-subscriptions", World.new_subscription
    ),
    "get_webhook_subscription": of("subscription", "GET", "webhook-subscriptions/{}"),
    "update_webhook_subscription": of("subscription", "PATCH", "webhook-subscriptions/{}", named()),
    "delete_webhook_subscription": of("subscription", "DELETE", "webhook-subscriptions/{}"),
    "rotate_webhook_subscription_secret": of(
        "subscription", "POST", "webhook-subscriptions/{}/rotate-secret"
    ),
    "test_webhook_subscription": of("subscription", "POST", "webhook-subscriptions/{}/test"),
    "list_webhook_deliveries": of("deliveries_path", "GET", "{}"),
    "redeliver_webhook": of("delivery_path", "POST", "{}/redeliver"),
}


def read(answer: httpx.Response, team: Team) -> str:
    """Return the word for an answer: what the caller may do, not how it went."""
    status = answer.status_code
    assert status not in (405, 422, 500), answer.text
    if status in (401, 403, 404):
        return str(status)
    listed = answer.json().get("items") if answer.content and answer.text[0] == "{" else None
    if answer.request.method != "GET":
        return "ok"
    theirs_only = listed is not None and str(team.id) not in answer.text
    return "none" if listed == [] or (theirs_only and "/v1/teams" in str(answer.url)) else "ok"


@pytest.fixture
async def world(
    api: httpx.AsyncClient, stage: Stage, transactions: Transactions, kept: Kept
) -> World:
    return await World(api, stage, transactions).set_up(kept)


@pytest.mark.parametrize("operation", ROWS)
async def test_each_caller_may_do_what_the_table_says(app, world, anonymous, operation):
    app.state.streams.stop()  # a stream would never end; what it tells has tests of its own
    found: dict[str, str] = {}
    request: Request | None = None
    for caller in CALLERS:
        method, url, body = request = request or await REQUESTS[operation](world)
        answer = await anonymous.request(method, url, json=body, headers=world.callers[caller])
        found[caller] = read(answer, world.stage.team)
        if found[caller] == "ok" and method != "GET":
            request = None  # used up

    assert found == dict(zip(CALLERS, ROWS[operation], strict=True))


def test_the_table_names_every_operation(app: FastAPI):
    operations = {
        operation["operationId"]
        for path in app.openapi()["paths"].values()
        for operation in path.values()
    }

    assert operations - NOT_IN_TABLE == set(ROWS)


async def test_what_a_caller_may_not_do_is_not_done(world, anonymous):
    policy = await world.policy()
    url = f"/v1/escalation-policies/{policy.id}"

    await anonymous.patch(url, json={"name": "Mine"}, headers=world.callers["responder"])

    assert (await world.api.get(url)).json()["name"] == policy.name


@pytest.mark.parametrize("caller", ["responder", "observer", "outsider"])
async def test_everybody_may_change_how_they_are_reached(world, anonymous, caller):
    headers = world.callers[caller]
    user_id = world.people[caller].id
    url = f"/v1/users/{user_id}/contact-methods"

    added = await anonymous.post(
        url, json={"kind": "webhook", "address": "https://pager.example/own"}, headers=headers
    )
    listed = await anonymous.get(url, headers=headers)

    assert added.status_code == 201
    assert added.json()["id"] in listed.text


async def test_a_person_of_two_teams_has_the_role_of_each(world, anonymous):
    async with world.transactions.open() as tx:
        second = await factories.make_team(tx)
        person = await factories.make_user(tx, team=world.stage.team, role=Role.OBSERVER)
        await factories.make_membership(tx, second, person, Role.MANAGER)
    headers = await key_with(world.transactions, user_id=person.id, scopes=list(ALL_BUT_ADMIN))

    answers = [
        await anonymous.patch(f"/v1/teams/{team.id}", json={"name": f"New {n}"}, headers=headers)
        for n, team in enumerate([world.stage.team, second])
    ]

    assert [answer.status_code for answer in answers] == [403, 200]
    assert answers[0].json()["code"] == "role_too_low"


async def test_a_persons_key_with_admin_is_not_limited_by_roles(world, anonymous):
    headers = await key_with(world.transactions, user_id=world.stage.first.id, scopes=["admin"])

    answer = await anonymous.patch(
        f"/v1/teams/{world.stage.team.id}", json={"name": "New"}, headers=headers
    )

    assert answer.status_code == 200


async def test_a_persons_key_acts_as_nobody_else(world, anonymous):
    incident = await world.incident()

    answer = await anonymous.post(
        f"/v1/incidents/{incident.id}/acknowledge",
        json={"user_id": str(world.stage.second.id)},
        headers=world.callers["responder"],
    )

    assert (answer.status_code, answer.json()["code"]) == (403, "acts_for_one_person")
    assert (await world.stage.incident()).status is Status.OPEN


@pytest.mark.parametrize("caller", ["manager", "ours"])
async def test_a_manager_does_not_take_an_admin_in_and_lock_them_out(world, anonymous, caller):
    admin = await world.free_person()
    await key_with(world.transactions, user_id=admin.id, scopes=["admin"])
    headers = world.callers[caller]

    taken_in = await anonymous.put(
        f"/v1/teams/{world.stage.team.id}/members/{admin.id}",
        json={"role": "observer"},
        headers=headers,
    )
    changed = await anonymous.patch(
        f"/v1/users/{admin.id}", json={"is_active": False}, headers=headers
    )

    assert (taken_in.status_code, changed.status_code) == (403, 403)


async def test_a_role_that_changes_counts_at_once(world, anonymous):
    url = f"/v1/teams/{world.stage.team.id}"
    await world.api.put(f"{url}/members/{world.stage.first.id}", json={"role": "manager"})

    answer = await anonymous.patch(url, json={"name": "New"}, headers=world.callers["responder"])

    assert answer.status_code == 200
