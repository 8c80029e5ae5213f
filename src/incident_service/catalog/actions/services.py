"""Make, change and delete services."""

from typing import Any
from uuid import UUID

from incident_service.catalog import grouping, queries
from incident_service.catalog.models import Service
from incident_service.catalog.schemas import MOST_SEVERITIES, ServiceCreate, ServiceUpdate
from incident_service.core.db import Tx
from incident_service.core.errors import Invalid
from incident_service.core.ids import new_id
from incident_service.core.rows import change_row
from incident_service.policies.models import EscalationPolicy
from incident_service.teams.auth import Principal
from incident_service.teams.queries import get_team


class StaleAfterMissing(Invalid):
    """Only a service with `stale_after_minutes` can resolve what is stale."""


class TooManySeverities(Invalid):
    """A service has at most 50 severity texts of its own; take some out with null."""


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


async def patch_service(
    tx: Tx, service_id: UUID, patch: ServiceUpdate, *, by: Principal
) -> Service:
    """Change what the patch names.

    Raises:
        TooManySeverities: the merged map is too large.
        PolicyNotOfTeam, GroupingLabelsWrong, StaleAfterMissing: see `update_service`.
    """
    service = await queries.get_service(tx.session, service_id, by, lock=True)
    changes = patch.changes_of(service)
    if len(changes.get("severity_map", ())) > MOST_SEVERITIES:
        raise TooManySeverities("", "/severity_map")
    return await update_service(tx, service_id, changes, by=by)


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
