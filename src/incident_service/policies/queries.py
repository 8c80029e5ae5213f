"""Reads of escalation policies."""

from collections import defaultdict
from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from incident_service.policies.models import EscalationLevel, EscalationPolicy, TargetType
from incident_service.policies.plan import Plan, PlanLevel, Target


async def load_plans(session: AsyncSession, policy_ids: Collection[UUID]) -> dict[UUID, Plan]:
    """Copy the active policies among `policy_ids`; an inactive one has no plan."""
    policies = await session.scalars(
        select(EscalationPolicy).where(
            EscalationPolicy.id.in_(policy_ids), EscalationPolicy.is_active
        )
    )
    levels: dict[UUID, list[PlanLevel]] = defaultdict(list)
    for level in await session.scalars(
        select(EscalationLevel)
        .where(EscalationLevel.escalation_policy_id.in_(policy_ids))
        .order_by(EscalationLevel.level_number)
    ):
        levels[level.escalation_policy_id].append(
            PlanLevel((first_target(level), *more_targets(level)), level.timeout_minutes)
        )
    return {
        policy.id: Plan(
            levels=tuple(levels[policy.id]),
            repeat_count=policy.repeat_count,
            ack_timeout_minutes=policy.ack_timeout_minutes,
            exhausted_reminder_minutes=policy.exhausted_reminder_minutes,
        )
        for policy in policies
    }


def first_target(level: EscalationLevel) -> Target:
    """Return the target that the level names itself."""
    return Target(level.target_type, level.target_id)


def more_targets(level: EscalationLevel) -> list[Target]:
    """Return the level's additional targets."""
    return [
        Target(
            TargetType(item["target_type"]),
            UUID(item["target_id"]) if item.get("target_id") else None,
        )
        for item in level.additional_targets
    ]


async def default_policies(session: AsyncSession, team_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """Return the default policy of each team that has an active one: team id → policy id."""
    rows = await session.execute(
        select(EscalationPolicy.team_id, EscalationPolicy.id).where(
            EscalationPolicy.team_id.in_(team_ids),
            EscalationPolicy.is_default,
            EscalationPolicy.is_active,
        )
    )
    return {row.team_id: row.id for row in rows}
