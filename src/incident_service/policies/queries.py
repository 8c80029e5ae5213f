"""Reads of escalation policies."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from incident_service.core.db import Tx
from incident_service.core.errors import NotFound
from incident_service.core.rows import get_row
from incident_service.policies.models import EscalationLevel, EscalationPolicy, TargetType
from incident_service.policies.plan import Plan, PlanLevel, Target
from incident_service.policies.targets import ids_of, load_outlook
from incident_service.policies.warnings import Judged, Warned, find_warnings
from incident_service.schedules.queries import load_names, load_schedule_names
from incident_service.teams.auth import Principal
from incident_service.teams.queries import load_channel_names, visible
from incident_service.web.lists.pagination import PageQuery, fetch_page

MOST_NAMED = 5


class EscalationPolicyNotFound(NotFound):
    """There is no such escalation policy, or it belongs to a team that the key cannot see."""


async def load_plans(session: AsyncSession, policy_ids: Collection[UUID]) -> dict[UUID, Plan]:
    """Copy the active policies among `policy_ids`; an inactive one has no plan."""
    policies = await session.scalars(
        select(EscalationPolicy).where(
            EscalationPolicy.id.in_(policy_ids), EscalationPolicy.is_active
        )
    )
    levels = await load_levels(session, policy_ids)
    return {
        policy.id: Plan(
            levels=tuple(map(plan_level, levels.get(policy.id, ()))),
            repeat_count=policy.repeat_count,
            ack_timeout_minutes=policy.ack_timeout_minutes,
            exhausted_reminder_minutes=policy.exhausted_reminder_minutes,
        )
        for policy in policies
    }


def plan_level(level: EscalationLevel) -> PlanLevel:
    """Copy one level."""
    return PlanLevel((first_target(level), *more_targets(level)), level.timeout_minutes)


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


async def get_policy(
    session: AsyncSession, policy_id: UUID, principal: Principal, *, lock: bool = False
) -> EscalationPolicy:
    """Return the policy, without its levels.

    Raises:
        EscalationPolicyNotFound: it does not exist for this caller.
        RoleTooLow: the person behind the key may not do this in the team.
    """
    statement = select(EscalationPolicy).where(EscalationPolicy.id == policy_id)
    statement = visible(statement, EscalationPolicy.team_id, principal)
    policy = await get_row(session, statement, EscalationPolicyNotFound, lock=lock)
    principal.require_role(policy.team_id)
    return policy


async def list_policies(
    session: AsyncSession, principal: Principal, page: PageQuery, *, team_id: UUID | None
) -> tuple[Sequence[EscalationPolicy], str | None]:
    """Return a page of the policies that the caller sees: all, or one team's."""
    statement = visible(select(EscalationPolicy), EscalationPolicy.team_id, principal)
    if team_id:
        statement = statement.where(EscalationPolicy.team_id == team_id)
    return await fetch_page(session, statement, EscalationPolicy.id, page)


async def load_levels(
    session: AsyncSession, policy_ids: Collection[UUID]
) -> dict[UUID, list[EscalationLevel]]:
    """Return the levels of each policy in their order; a policy without any is missing."""
    levels: dict[UUID, list[EscalationLevel]] = defaultdict(list)
    for level in await session.scalars(
        select(EscalationLevel)
        .where(EscalationLevel.escalation_policy_id.in_(policy_ids))
        .order_by(EscalationLevel.level_number)
    ):
        levels[level.escalation_policy_id].append(level)
    return dict(levels)


async def load_warnings(
    session: AsyncSession,
    policies: Sequence[EscalationPolicy],
    levels: Mapping[UUID, Sequence[EscalationLevel]],
    now: datetime,
) -> dict[UUID, list[Warned]]:
    """Return what is wrong with each policy now or within the next 14 days."""
    plans = {id_: [plan_level(level) for level in found] for id_, found in levels.items()}
    targets = {target for plan in plans.values() for level in plan for target in level.targets}
    teams = {policy.team_id for policy in policies}
    outlook = await load_outlook(session, teams, targets, now)
    people = {user_id for roster in outlook.rosters.values() for user_id in roster.people()}
    names = await load_names(session, people | ids_of(targets, TargetType.USER))
    names |= await load_schedule_names(session, outlook.rosters.keys())
    names |= await load_channel_names(session, ids_of(targets, TargetType.TEAM_CHANNEL))
    return {
        policy.id: find_warnings(
            Judged(policy.team_id, policy.is_active, plans.get(policy.id, ()), names), outlook, now
        )
        for policy in policies
    }


async def say_who_names_user(tx: Tx, user_id: UUID) -> str | None:
    """Say which policies name the user as a target; None when there is none."""
    return await say_who_pages(tx.session, "user", user_id)


async def say_who_names_schedule(tx: Tx, schedule_id: UUID) -> str | None:
    """Say which policies name the schedule as a target; None when there is none."""
    return await say_who_pages(tx.session, "schedule", schedule_id)


async def say_who_names_channel(tx: Tx, channel_id: UUID) -> str | None:
    """Say which policies name the team channel as a target; None when there is none."""
    return await say_who_pages(tx.session, "channel", channel_id)


async def say_who_pages(session: AsyncSession, what: str, target_id: UUID) -> str | None:
    """Say which policies have a target of this id; None when there is none."""
    rows = await session.scalars(
        select(EscalationPolicy.name)
        .join(EscalationLevel, EscalationLevel.escalation_policy_id == EscalationPolicy.id)
        .where(
            or_(
                EscalationLevel.target_id == target_id,
                EscalationLevel.additional_targets.contains([{"target_id": str(target_id)}]),
            )
        )
        .group_by(EscalationPolicy.id)
        .order_by(EscalationPolicy.name)
    )
    names = rows.all()
    if not names:
        return None
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"Escalation policies page this {what}: {', '.join(names[:MOST_NAMED])}{more}."
