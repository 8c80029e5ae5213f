"""Make, change and delete services and integrations."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from incident_service.catalog import grouping, queries
from incident_service.catalog.models import Integration, Service
from incident_service.catalog.schemas import IntegrationCreate, ServiceCreate
from incident_service.core import tokens
from incident_service.core.db import Tx
from incident_service.core.errors import Invalid
from incident_service.core.ids import new_id
from incident_service.core.rows import change_row
from incident_service.policies.models import EscalationPolicy
from incident_service.teams.auth import Principal
from incident_service.teams.queries import get_team

KEY_PREFIX = "isi"


class StaleAfterMissing(Invalid):
    """Only a service with `stale_after_minutes` can resolve what is stale."""


class PolicyNotOfTeam(Invalid):
    """The service's team has no such escalation policy."""


async def create_service(tx: Tx, wanted: ServiceCreate, *, by: Principal) -> Service:
    """Make a service.

    Raises:
        TeamNotFound: the team does not exist for the caller.
        PolicyNotOfTeam: the policy is not one of the team's.
        GroupingLabelsWrong: grouping and its labels do not go together.
        StaleAfterMissing: see `require_stale_after`.
    """
    await get_team(tx.session, wanted.team_id, by, lock=True)
    await require_policy(tx, wanted.escalation_policy_id, wanted.team_id)
    values = wanted.model_dump()
    values["grouping_labels"] = grouping.labels_for(wanted.grouping, wanted.grouping_labels)
    service = Service(id=new_id(), **values, created_at=tx.now, updated_at=tx.now)
    tx.session.add(service)
    require_stale_after(service)
    await tx.flush()
    return service


async def update_service(
    tx: Tx, service_id: UUID, changes: dict[str, Any], *, by: Principal
) -> Service:
    """Change the given columns.

    Raises:
        PolicyNotOfTeam: the policy is not one of the team's.
        GroupingLabelsWrong: grouping and its labels would not go together.
        StaleAfterMissing: see `require_stale_after`.
    """
    service = await queries.get_service(tx.session, service_id, by, lock=True)
    await require_policy(tx, changes.get("escalation_policy_id"), service.team_id)
    labels = grouping.labels_for(
        changes.get("grouping", service.grouping),
        changes.get("grouping_labels"),
        service.grouping_labels,
    )
    change_row(service, {**changes, "grouping_labels": labels}, tx.now)
    require_stale_after(service)
    await tx.flush()
    return service


def require_stale_after(service: Service) -> None:
    """Refuse to resolve what is stale where nothing ever is.

    Raises:
        StaleAfterMissing: the service has no `stale_after_minutes`.
    """
    if service.resolve_stale and service.stale_after_minutes is None:
        raise StaleAfterMissing("", "/stale_after_minutes")


async def require_policy(tx: Tx, policy_id: UUID | None, team_id: UUID) -> None:
    """Refuse a policy that is not the team's; None is the team's default.

    Raises:
        PolicyNotOfTeam: it is another team's, or does not exist.
    """
    if policy_id is None:
        return
    policy = await tx.session.get(EscalationPolicy, policy_id)
    if policy is None or policy.team_id != team_id:
        raise PolicyNotOfTeam("", "/escalation_policy_id")


async def delete_service(tx: Tx, service_id: UUID, *, by: Principal) -> None:
    """Delete a service; foreign keys refuse it while something belongs to it."""
    service = await queries.get_service(tx.session, service_id, by, lock=True)
    await tx.session.delete(service)
    await tx.flush()


async def create_integration(
    tx: Tx, wanted: IntegrationCreate, *, by: Principal
) -> tuple[Integration, str]:
    """Make an integration and return it with its key, which is kept nowhere.

    Raises:
        ServiceNotFound: the service does not exist for the caller.
    """
    await queries.get_service(tx.session, wanted.service_id, by, lock=True)
    token = tokens.make(KEY_PREFIX)
    integration = Integration(
        id=new_id(),
        **wanted.model_dump(),
        is_enabled=True,
        key_digest=token.digest,
        key_hint=token.hint,
        created_at=tx.now,
        updated_at=tx.now,
    )
    tx.session.add(integration)
    await tx.flush()
    return integration, token.text


async def update_integration(
    tx: Tx, integration_id: UUID, changes: dict[str, Any], *, by: Principal
) -> Integration:
    """Change the given columns.

    Raises:
        ServiceNotFound: the new service does not exist for the caller.
    """
    integration = await queries.get_integration(tx.session, integration_id, by, lock=True)
    if "service_id" in changes:
        await queries.get_service(tx.session, changes["service_id"], by, lock=True)
    change_row(integration, changes, tx.now)
    await tx.flush()
    return integration


async def rotate_key(
    tx: Tx, integration_id: UUID, keep_previous: timedelta, *, by: Principal
) -> tuple[Integration, str]:
    """Give the integration a new key, and return it; the present one is valid a while longer.

    At most two keys are valid: one that was still kept from an earlier rotation ends now.
    """
    integration = await queries.get_integration(tx.session, integration_id, by, lock=True)
    token = tokens.make(KEY_PREFIX)
    kept = {
        "previous_key_digest": integration.key_digest if keep_previous else None,
        "previous_key_expires_at": tx.now + keep_previous if keep_previous else None,
    }
    change_row(integration, {**kept, "key_digest": token.digest, "key_hint": token.hint}, tx.now)
    await tx.flush()
    return integration, token.text


async def delete_integration(tx: Tx, integration_id: UUID, *, by: Principal) -> None:
    """Delete an integration with its routing rules; a foreign key refuses it once it has alerts."""
    integration = await queries.get_integration(tx.session, integration_id, by, lock=True)
    await tx.session.delete(integration)
    await tx.flush()
