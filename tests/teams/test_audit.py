"""The audit log: every operation of the API that changes the configuration leaves one entry."""

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import pytest
from sqlalchemy import delete, select, update
from structlog.testing import capture_logs
from tests import factories
from tests.kept import Kept
from tests.teams.test_permissions import CALLERS, REQUESTS, ROWS, Request, World

from incident_service.core.audit import Audited, AuditEntry
from incident_service.core.db import Base, Transactions, Tx
from incident_service.core.ids import new_id
from incident_service.core.ledger import SILENT, NotAudited, content_of
from incident_service.notifications.models import Page
from incident_service.policies.models import EscalationLevel, EscalationPolicy
from incident_service.teams.models import Role, Team, TeamMembership

CONFIGURES = {
    "team": ["create_team", "update_team", "delete_team"],
    "team_membership": ["put_member", "delete_member"],
    "user": ["create_user", "update_user", "delete_user"],
    "contact_method": [
        "create_contact_method",
        "update_contact_method",
        "delete_contact_method",
        "rotate_contact_method_secret",
        "verify_contact_method",
        "create_team_channel",
        "update_team_channel",
        "delete_team_channel",
        "rotate_team_channel_secret",
    ],
    "notification_rules": ["replace_notification_rules"],
    "api_key": ["create_api_key", "update_api_key", "revoke_api_key", "delete_api_key"],
    "schedule": [
        "create_schedule",
        "update_schedule",
        "delete_schedule",
        "open_calendar_feed",
        "close_calendar_feed",
    ],
    "schedule_override": ["create_override", "delete_override"],
    "escalation_policy": [
        "create_escalation_policy",
        "update_escalation_policy",
        "add_level",
        "replace_level",
        "remove_level",
        "delete_escalation_policy",
    ],
    "service": ["create_service", "update_service", "delete_service"],
    "integration": [
        "create_integration",
        "update_integration",
        "rotate_integration_key",
        "delete_integration",
        "replace_routing_rules",
        "add_routing_rule",
        "replace_routing_rule",
        "remove_routing_rule",
    ],
    "maintenance_window": [
        "create_maintenance_window",
        "update_maintenance_window",
        "end_maintenance_window",
        "delete_maintenance_window",
    ],
    "webhook_subscription": [
        "create_webhook_subscription",
        "update_webhook_subscription",
        "delete_webhook_subscription",
        "rotate_webhook_subscription_secret",
    ],
}
RESOURCE_OF = {operation: kind for kind, each in CONFIGURES.items() for operation in each}


async def of_feed(world: World) -> Request:
    """A feed to close."""
    schedule = await world.schedule()
    await world.api.post(f"/v1/schedules/{schedule}/calendar-feed")
    return "DELETE", f"/v1/schedules/{schedule}/calendar-feed", None


async def of_rules(world: World) -> Request:
    """Rules that differ from what is there."""
    method = await world.contact_method()
    rule = {"priority": "high", "contact_method_id": str(method.id), "delay_minutes": 3}
    return "PUT", f"/v1/users/{world.colleague.id}/notification-rules", {"rules": [rule]}


async def of_code(world: World) -> Request:
    """A code that is right."""
    method = await world.unverified()
    url = f"/v1/users/{world.colleague.id}/contact-methods/{method.id}"
    await world.api.post(f"{url}/send-code")
    note = (await world.stage.rows(select(Page.note).where(Page.note.is_not(None))))[-1]
    code = next(word for word in note.replace(".", " ").split() if is_code(word))
    return "POST", f"{url}/verify", {"code": code}


def is_code(word: str) -> bool:
    return len(word) == 8 and word.isupper()


async def of_level(world: World) -> Request:
    """Another level than the one that is there."""
    policy = await world.policy()
    level = world.level() | {"timeout_minutes": 17}
    return "PUT", f"/v1/escalation-policies/{policy.id}/levels/1", level


async def of_empty_team(world: World) -> Request:
    """A team that owns nothing."""
    async with world.transactions.open() as tx:
        team = await factories.make_team(tx)
    return "DELETE", f"/v1/teams/{team.id}", None


async def of_all_rules(world: World) -> Request:
    """Two rules in the place of one."""
    return "PUT", f"/v1/{await world.rules_path()}", {"rules": [world.rule(), world.rule()]}


async def of_one_rule(world: World) -> Request:
    """A rule with other matchers."""
    return "PUT", f"/v1/{await world.rule_path()}", world.rule() | {"matchers": ["team=web"]}


CHANGING: dict[str, Callable[[World], Awaitable[Request]]] = {
    "delete_team": of_empty_team,
    "close_calendar_feed": of_feed,
    "replace_routing_rules": of_all_rules,
    "replace_routing_rule": of_one_rule,
    "replace_notification_rules": of_rules,
    "verify_contact_method": of_code,
    "replace_level": of_level,
}


@pytest.fixture
async def world(
    api: httpx.AsyncClient, stage: Any, transactions: Transactions, kept: Kept
) -> World:
    return await World(api, stage, transactions).set_up(kept)


async def entries_of(world: World) -> list[AuditEntry]:
    return await world.stage.rows(select(AuditEntry).order_by(AuditEntry.id))


async def configuration(world: World) -> dict[str, Any]:
    """Everything that people have configured."""
    found = {}
    async with world.transactions.open() as tx:
        for mapper in Base.registry.mappers:
            spec = mapper.class_.audited
            if spec is None:
                continue
            table = mapper.class_.__table__
            silent = SILENT | (spec.silent if isinstance(spec, Audited) else set())
            rows = await tx.session.execute(select(table).order_by(*table.primary_key))
            found[table.name] = [content_of(table, row, silent) for row in rows.mappings()]
    return found


def secrets_in(body: Any, answer: httpx.Response) -> list[str]:
    """What the request or its answer has that nobody else may read."""
    given = body if isinstance(body, dict) else {}
    told = answer.json() if answer.content else {}
    named = [given.get("address"), given.get("url")]
    named += [told.get(name) for name in ("key", "signing_secret", "secret")]
    return [text for text in named if text]


@pytest.mark.parametrize("operation", ROWS)
async def test_each_change_of_the_configuration_is_one_entry_and_nothing_else_is(
    world, anonymous, app, operation
):
    app.state.streams.stop()  # a stream would never end
    method, url, body = await CHANGING.get(operation, REQUESTS[operation])(world)
    known, before = {entry.id for entry in await entries_of(world)}, await configuration(world)

    answer = await anonymous.request(method, url, json=body, headers=world.callers["admin"])

    made = [entry for entry in await entries_of(world) if entry.id not in known]
    if operation not in RESOURCE_OF:
        assert made == []
        assert await configuration(world) == before
        return
    assert answer.is_success, answer.text
    (entry,) = made
    assert (entry.action, entry.resource_type) == (operation, RESOURCE_OF[operation])
    assert (entry.actor_type, entry.refused) == ("api_key", None)
    assert entry.request_id == answer.headers["x-request-id"]
    assert entry.before != entry.after or "rotate" in operation or "feed" in operation
    shown = json.dumps([entry.before, entry.after, entry.resource_name])
    assert [secret for secret in secrets_in(body, answer) if secret in shown] == []


def test_every_operation_that_the_table_of_resources_names_exists():
    assert set(RESOURCE_OF) <= set(ROWS)


@pytest.mark.parametrize("operation", RESOURCE_OF)
async def test_what_is_refused_changes_nothing(world, anonymous, operation):
    caller = next(
        name for name, word in zip(CALLERS, ROWS[operation], strict=True) if word == "403"
    )
    method, url, body = await CHANGING.get(operation, REQUESTS[operation])(world)
    known = {entry.id for entry in await entries_of(world)}

    await anonymous.request(method, url, json=body, headers=world.callers[caller])

    made = [entry for entry in await entries_of(world) if entry.id not in known]
    assert [entry.resource_type for entry in made if not entry.refused] == []


async def test_an_entry_says_who_did_it_and_what_is_different(world, anonymous):
    url = f"/v1/teams/{world.stage.team.id}"

    await anonymous.patch(url, json={"name": "Ledgers"}, headers=world.callers["manager"])

    entry = (await entries_of(world))[-1]
    assert (entry.actor_type, entry.actor_id, entry.actor_name) == (
        "user",
        world.stage.manager.id,
        "Manager",
    )
    assert (entry.before, entry.after) == ({"name": "Payments"}, {"name": "Ledgers"})
    assert (entry.resource_id, entry.team_id) == (world.stage.team.id, world.stage.team.id)


async def test_writing_what_is_there_already_is_no_change(world):
    known = len(await entries_of(world))

    await world.api.patch(f"/v1/teams/{world.stage.team.id}", json={"name": "Payments"})

    assert len(await entries_of(world)) == known


async def test_a_change_that_is_rolled_back_leaves_no_entry(world):
    known = len(await entries_of(world))

    async def fail(tx: Tx) -> None:
        await factories.make_team(tx)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await world.transactions.run(fail)

    assert len(await entries_of(world)) == known


async def test_what_falls_with_a_person_is_in_the_entry_of_their_end(world):
    method = await world.contact_method()
    await world.api.delete(f"/v1/teams/{world.stage.team.id}/members/{world.colleague.id}")

    answer = await world.api.delete(f"/v1/users/{world.colleague.id}")

    entry = (await entries_of(world))[-1]
    assert answer.status_code == 204
    assert entry.before is not None
    assert entry.after is None
    assert str(method.id) in [each["id"] for each in entry.before["contact_methods"]]
    assert {each["address"] for each in entry.before["contact_methods"]} == {"***"}


async def test_a_default_that_moves_is_an_entry_of_both_policies(world):
    body = {"team_id": str(world.stage.team.id), "is_default": True}
    first = (await world.api.post("/v1/escalation-policies", json=body | {"name": "One"})).json()
    known = len(await entries_of(world))

    second = (await world.api.post("/v1/escalation-policies", json=body | {"name": "Two"})).json()

    made = (await entries_of(world))[known:]
    assert {str(entry.resource_id) for entry in made} == {first["id"], second["id"]}
    lost = next(entry for entry in made if str(entry.resource_id) == first["id"])
    assert (lost.before, lost.after) == ({"is_default": True}, {"is_default": False})


async def test_bulk_statements_do_not_escape(world):
    policy = await world.policy()
    known = len(await entries_of(world))

    async with world.transactions.open() as tx:
        await tx.session.execute(update(Team).where(Team.name == "Payments").values(name="Bulk"))
    async with world.transactions.open() as tx:
        await tx.session.execute(
            delete(EscalationLevel).where(EscalationLevel.escalation_policy_id == policy.id)
        )
    async with world.transactions.open() as tx:
        table: Any = Team.__table__
        await tx.session.execute(update(table).values(name="Core").where(table.c.name == "Bulk"))
    async with world.transactions.open() as tx:
        await tx.session.execute(delete(EscalationPolicy).where(EscalationPolicy.id == policy.id))

    made = (await entries_of(world))[known:]
    assert [entry.action for entry in made] == [
        "update_team",
        "update_escalation_policy",
        "update_team",
        "delete_escalation_policy",
    ]
    assert {entry.actor_type for entry in made} == {"system"}
    assert len((made[1].before or {})["escalation_levels"]) == 2


async def test_a_statement_whose_rows_nobody_could_name_is_refused(world):
    team = {"id": new_id(), "name": "By key", "updated_at": world.stage.clock.now}

    with pytest.raises(NotAudited):
        await world.transactions.run(lambda tx: tx.session.execute(update(Team), [team]))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_log SET actor_name = 'somebody else'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
    ],
)
async def test_the_audit_log_stays_as_it_was_written_even_for_a_superuser(
    world, database_url, statement
):
    connection = await asyncpg.connect(database_url.replace("+asyncpg", ""))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_a_role_that_changes_is_an_entry_of_the_membership(world):
    url = f"/v1/teams/{world.stage.team.id}/members/{world.stage.first.id}"

    await world.api.put(url, json={"role": "manager"})

    entry = (await entries_of(world))[-1]
    assert (entry.before, entry.after) == (
        {"role": Role.RESPONDER.value},
        {"role": Role.MANAGER.value},
    )
    assert entry.resource_id == world.stage.first.id
    assert await world.stage.rows(
        select(TeamMembership.role).where(TeamMembership.user_id == world.stage.first.id)
    ) == [Role.MANAGER]


async def test_the_log_is_listed_newest_first_and_by_filters(world):
    team_id = str(world.stage.team.id)
    for name in ("One", "Two", "Three"):
        world.stage.clock.now += timedelta(minutes=1)
        await world.api.patch(f"/v1/teams/{team_id}", json={"name": name})
    noon = world.stage.clock.now.isoformat()

    async def names(**query: Any) -> list[str]:
        query = {"action": "update_team", "limit": 50} | query
        found = await world.api.get("/v1/audit-log", params=query)
        assert found.status_code == 200, found.text
        return [item["after"]["name"] for item in found.json()["items"]]

    assert await names() == ["Three", "Two", "One"]
    assert await names(resource_type="team", resource_id=team_id) == ["Three", "Two", "One"]
    assert await names(resource_type="user") == []
    assert await names(team_id=team_id, since=noon) == ["Three"]
    assert await names(until=noon, refused=False) == ["Two", "One"]
    assert await names(actor_id=team_id) == []


async def test_the_log_is_read_on_from_a_cursor_while_it_grows(world):
    url = f"/v1/teams/{world.stage.team.id}"
    for name in ("One", "Two", "Three"):
        await world.api.patch(url, json={"name": name})
    wanted = {"action": "update_team", "limit": "2"}

    first = (await world.api.get("/v1/audit-log", params=wanted)).json()
    await world.api.patch(url, json={"name": "Four"})
    wanted["cursor"] = first["next_cursor"]
    second = (await world.api.get("/v1/audit-log", params=wanted)).json()

    listed = [item["after"]["name"] for item in first["items"] + second["items"]]
    assert listed == ["Three", "Two", "One"]
    assert second["next_cursor"] is None


@pytest.mark.parametrize(("caller", "sees"), [("admin", True), ("tool", False), ("ours", False)])
async def test_what_belongs_to_no_team_is_for_admins(world, anonymous, caller, sees):
    wanted = {"resource_type": "user", "resource_id": str(world.colleague.id)}

    answer = await anonymous.get("/v1/audit-log", params=wanted, headers=world.callers[caller])

    assert bool(answer.json()["items"]) is sees


async def test_a_log_line_says_what_was_changed_and_no_value(world):
    with capture_logs() as lines:
        await world.api.patch(f"/v1/teams/{world.stage.team.id}", json={"name": "Ledgers"})

    (line,) = [line for line in lines if line["event"] == "audit.recorded"]
    assert (line["action"], line["changed"]) == ("update_team", ["name"])
    assert line["resource"] == f"team:{world.stage.team.id}"
    assert "Ledgers" not in str(line)
