"""Make rows for tests: one small function a table, each with sensible defaults."""

from collections.abc import Sequence
from itertools import count
from typing import Any

from incident_service.catalog.models import Grouping, Integration, IntegrationKind, Service
from incident_service.catalog.priority import Priority
from incident_service.core import tokens
from incident_service.core.db import Tx
from incident_service.core.ids import new_id
from incident_service.incidents.lifecycle import Status
from incident_service.incidents.models import Incident
from incident_service.policies.models import EscalationLevel, EscalationPolicy, TargetType
from incident_service.policies.plan import NO_PLAN
from incident_service.teams.models import (
    ApiKey,
    Channel,
    ContactMethod,
    Role,
    Team,
    TeamMembership,
    User,
)

serial = count(1)


async def make_api_key(tx: Tx, *, scopes: Sequence[str] = ("admin",), **changes: Any) -> str:
    """Return the text of a new key."""
    token = tokens.make("isk")
    row: dict[str, Any] = {
        "id": new_id(),
        "name": f"key {next(serial)}",
        "key_digest": token.digest,
        "hint": token.hint,
        "scopes": list(scopes),
        "team_ids": None,
        "user_id": None,
        "is_bootstrap": False,
        "created_at": tx.now,
        "updated_at": tx.now,
    }
    tx.session.add(ApiKey(**row | changes))
    await tx.flush()
    return token.text


async def make_team(tx: Tx, **changes: Any) -> Team:
    row: dict[str, Any] = {
        "id": new_id(),
        "name": f"Team {next(serial)}",
        "created_at": tx.now,
        "updated_at": tx.now,
    }
    team = Team(**row | changes)
    tx.session.add(team)
    await tx.flush()
    return team


async def make_user(
    tx: Tx,
    *,
    team: Team | None = None,
    role: Role = Role.RESPONDER,
    address: str | None = "https://pager.example/hook",
    channel: Channel = Channel.WEBHOOK,
    bundle: bool = True,
    **changes: Any,
) -> User:
    """Make a person: a member of `team` when given, reachable at `address` unless that is None."""
    number = next(serial)
    row: dict[str, Any] = {
        "id": new_id(),
        "name": f"User {number}",
        "email": f"user{number}@example.org",
        "time_zone": "UTC",
        "is_active": True,
        "created_at": tx.now,
        "updated_at": tx.now,
    }
    user = User(**row | changes)
    tx.session.add(user)
    await tx.flush()
    if team:
        await make_membership(tx, team, user, role)
    if address:
        await make_contact_method(tx, user, kind=channel, address=address, bundle=bundle)
    return user


async def make_membership(tx: Tx, team: Team, user: User, role: Role = Role.RESPONDER) -> None:
    tx.session.add(TeamMembership(team_id=team.id, user_id=user.id, role=role, created_at=tx.now))
    await tx.flush()


async def make_contact_method(tx: Tx, user: User | None, **changes: Any) -> ContactMethod:
    row: dict[str, Any] = {
        "id": new_id(),
        "user_id": user.id if user else None,
        "kind": Channel.WEBHOOK,
        "address": f"https://pager.example/{next(serial)}",
        "bundle": True,
        "is_enabled": True,
        "signing_secret": None,
        "created_at": tx.now,
        "updated_at": tx.now,
    }
    method = ContactMethod(**row | changes)
    tx.session.add(method)
    await tx.flush()
    return method


async def make_team_channel(tx: Tx, team: Team, **changes: Any) -> ContactMethod:
    """Give a team a channel; a webhook unless said otherwise."""
    number = next(serial)
    values = {"team_id": team.id, "name": f"#channel-{number}"}
    values |= {"address": f"https://chat.example/{number}"}
    return await make_contact_method(tx, None, **values | changes)


async def make_policy(
    tx: Tx,
    team: Team,
    levels: Sequence[User | None] = (),
    *,
    timeout_minutes: int = 5,
    **changes: Any,
) -> EscalationPolicy:
    """Make a policy with one level for each of `levels`: a user, or None for the entire team."""
    row: dict[str, Any] = {
        "id": new_id(),
        "team_id": team.id,
        "name": f"Policy {next(serial)}",
        "description": "",
        "is_default": False,
        "repeat_count": 1,
        "is_active": True,
        "ack_timeout_minutes": None,
        "exhausted_reminder_minutes": 30,
        "created_at": tx.now,
        "updated_at": tx.now,
    }
    policy = EscalationPolicy(**row | changes)
    tx.session.add(policy)
    await tx.flush()
    for number, user in enumerate(levels, start=1):
        tx.session.add(
            EscalationLevel(
                id=new_id(),
                escalation_policy_id=policy.id,
                level_number=number,
                target_type=TargetType.USER if user else TargetType.ENTIRE_TEAM,
                target_id=user.id if user else None,
                additional_targets=[],
                timeout_minutes=timeout_minutes,
                created_at=tx.now,
            )
        )
    await tx.flush()
    return policy


async def make_service(tx: Tx, team: Team, **changes: Any) -> Service:
    row: dict[str, Any] = {
        "id": new_id(),
        "team_id": team.id,
        "name": f"Service {next(serial)}",
        "description": "",
        "escalation_policy_id": None,
        "grouping": Grouping.ALERT,
        "grouping_labels": [],
        "page_from": Priority.LOW,
        "severity_map": {},
        "auto_resolve": True,
        "reopen_window_minutes": 15,
        "stale_after_minutes": None,
        "resolve_stale": False,
        "created_at": tx.now,
        "updated_at": tx.now,
    }
    service = Service(**row | changes)
    tx.session.add(service)
    await tx.flush()
    return service


async def make_integration(tx: Tx, service: Service, **changes: Any) -> tuple[Integration, str]:
    """Return the integration and the text of its key."""
    token = tokens.make("isi")
    row: dict[str, Any] = {
        "id": new_id(),
        "service_id": service.id,
        "name": f"Integration {next(serial)}",
        "kind": IntegrationKind.ALERTMANAGER,
        "is_enabled": True,
        "key_digest": token.digest,
        "key_hint": token.hint,
        "created_at": tx.now,
        "updated_at": tx.now,
    }
    integration = Integration(**row | changes)
    tx.session.add(integration)
    await tx.flush()
    return integration, token.text


async def make_incident(tx: Tx, service: Service, **changes: Any) -> Incident:
    """Make an OPEN incident in its first epoch, before its first level; `number` is the database's.

    It has no timer and no timeline: those are made by the verbs.
    """
    row: dict[str, Any] = {
        "id": new_id(),
        "fingerprint": f"{next(serial):016x}",
        "service_id": service.id,
        "team_id": service.team_id,
        "escalation_policy_id": service.escalation_policy_id,
        "escalation_plan": NO_PLAN.as_json(),
        "escalation_epoch": 1,
        "current_level": 0,
        "current_repeat": 1,
        "assigned_user_id": None,
        "status": Status.OPEN,
        "priority": Priority.HIGH,
        "is_quiet": False,
        "title": f"Incident {next(serial)}",
        "labels": {"alertname": "DiskFull"},
        "annotations": {},
        "alert_count": 1,
        "firing_count": 1,
        "flap_count": 0,
        "created_at": tx.now,
        "resolved_until_clear": False,
        "event_count": 0,
        "version": 1,
    }
    incident = Incident(**row | changes)
    tx.session.add(incident)
    await tx.flush()
    return incident
