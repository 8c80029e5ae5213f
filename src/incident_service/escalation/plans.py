"""Give incidents their copy of the policy."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import select

from incident_service.catalog.models import Service
from incident_service.core.db import Tx
from incident_service.incidents.models import Incident
from incident_service.policies.plan import NO_PLAN
from incident_service.policies.queries import default_policies, load_plans


async def copy_plans(tx: Tx, incidents: Sequence[Incident]) -> None:
    """Copy the policy of each incident as it is now.

    An incident without a policy of its own takes its service's, or else its team's default.
    """
    await choose_policies(tx, [item for item in incidents if item.escalation_policy_id is None])
    chosen = {item.escalation_policy_id for item in incidents if item.escalation_policy_id}
    plans = await load_plans(tx.session, chosen)
    copies = {policy_id: plan.as_json() for policy_id, plan in plans.items()}
    for incident in incidents:
        copy = copies.get(incident.escalation_policy_id) if incident.escalation_policy_id else None
        incident.escalation_plan = copy or NO_PLAN.as_json()


async def choose_policies(tx: Tx, incidents: Sequence[Incident]) -> None:
    """Find the policy of incidents that have none yet."""
    if not incidents:
        return
    of_service = await service_policies(tx, {incident.service_id for incident in incidents})
    of_team = await default_policies(tx.session, {incident.team_id for incident in incidents})
    for incident in incidents:
        incident.escalation_policy_id = of_service.get(incident.service_id) or of_team.get(
            incident.team_id
        )


async def service_policies(tx: Tx, service_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """Return the policy that each service names itself: service id → policy id."""
    rows = await tx.session.execute(
        select(Service.id, Service.escalation_policy_id).where(
            Service.id.in_(service_ids), Service.escalation_policy_id.is_not(None)
        )
    )
    return {row.id: row.escalation_policy_id for row in rows}
