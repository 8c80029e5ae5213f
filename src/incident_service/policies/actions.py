"""Make, change and delete escalation policies.

Changes of a team's policies take turns by the team's row, so that the default moves in one piece.
Running climbs carry a copy of their policy and are not disturbed.
"""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select, update

from incident_service.core.db import Tx
from incident_service.core.ids import new_id
from incident_service.core.rows import change_row
from incident_service.policies import levels as rungs
from incident_service.policies import queries
from incident_service.policies.models import EscalationLevel, EscalationPolicy, TargetType
from incident_service.policies.plan import PlanLevel, Target
from incident_service.policies.schemas import (
    EscalationPolicyCreate,
    EscalationPolicyUpdate,
    LevelWrite,
)
from incident_service.policies.targets import ids_of
from incident_service.schedules.models import Schedule
from incident_service.teams.auth import Principal
from incident_service.teams.models import ContactMethod, User
from incident_service.teams.queries import get_team, visible


async def create_policy(
    tx: Tx, wanted: EscalationPolicyCreate, *, by: Principal
) -> EscalationPolicy:
    """Make a policy with its levels; a new default takes over from the team's present one.

    Raises:
        TeamNotFound: the team does not exist for the caller.
        TargetNotUsable: a level names somebody who cannot be paged.
        TimeoutTooShort: a level leaves the entire team too little time.
    """
    await get_team(tx.session, wanted.team_id, by, lock=True)
    usable = await usable_levels(tx, as_asked(wanted.levels), by)
    if wanted.is_default:
        await drop_default(tx, wanted.team_id)
    policy = EscalationPolicy(
        id=new_id(),
        **wanted.model_dump(exclude={"levels"}),
        created_at=tx.now,
        updated_at=tx.now,
    )
    tx.session.add(policy)
    await tx.flush()
    await write_levels(tx, policy.id, usable)
    return policy


async def update_policy(
    tx: Tx, policy_id: UUID, wanted: EscalationPolicyUpdate, *, by: Principal
) -> EscalationPolicy:
    """Change the given columns, and replace the levels when they are given.

    Raises:
        TargetNotUsable: a level names somebody who cannot be paged.
        TimeoutTooShort: a level leaves the entire team too little time.
    """
    policy = await lock_policy(tx, policy_id, by)
    if wanted.levels is not None:
        usable = await usable_levels(tx, as_asked(wanted.levels), by, of=policy_id)
        await tx.session.execute(
            delete(EscalationLevel).where(EscalationLevel.escalation_policy_id == policy_id)
        )
        await write_levels(tx, policy_id, usable)
        policy.updated_at = tx.now
    if wanted.is_default and not policy.is_default:
        await drop_default(tx, policy.team_id)
    changes = wanted.changes()
    changes.pop("levels", None)
    change_row(policy, changes, tx.now)
    await tx.flush()
    return policy


async def add_level(
    tx: Tx, policy_id: UUID, wanted: LevelWrite, number: int | None, *, by: Principal
) -> EscalationPolicy:
    """Put one level in; the ones from its number on move up. None: at the end.

    Raises:
        TargetNotUsable, TimeoutTooShort: see `usable_levels`.
        LevelNotFound, TooManyLevels: see `levels.inserted`.
    """
    policy = await lock_policy(tx, policy_id, by)
    [level] = await usable_levels(tx, {"": wanted.as_plan()}, by, of=policy_id)
    return await change_levels(tx, policy, lambda levels: rungs.inserted(levels, level, number))


async def replace_level(
    tx: Tx, policy_id: UUID, number: int, wanted: LevelWrite, *, by: Principal
) -> EscalationPolicy:
    """Put one level in the place of another.

    Raises:
        TargetNotUsable, TimeoutTooShort: see `usable_levels`.
        LevelNotFound: there is none of this number.
    """
    policy = await lock_policy(tx, policy_id, by)
    [level] = await usable_levels(tx, {"": wanted.as_plan()}, by, of=policy_id)
    return await change_levels(tx, policy, lambda levels: rungs.replaced(levels, level, number))


async def remove_level(tx: Tx, policy_id: UUID, number: int, *, by: Principal) -> EscalationPolicy:
    """Take one level out; the ones after it move down.

    Raises:
        LevelNotFound: there is none of this number.
    """
    policy = await lock_policy(tx, policy_id, by)
    return await change_levels(tx, policy, lambda levels: rungs.removed(levels, number))


async def change_levels(
    tx: Tx,
    policy: EscalationPolicy,
    change: Callable[[Sequence[PlanLevel]], Sequence[PlanLevel]],
) -> EscalationPolicy:
    """Make new levels of those that a locked policy has."""
    rows = (await queries.load_levels(tx.session, [policy.id])).get(policy.id, [])
    await replace_levels(tx, policy.id, change([queries.plan_level(row) for row in rows]))
    policy.updated_at = tx.now
    await tx.flush()
    return policy


async def lock_policy(tx: Tx, policy_id: UUID, by: Principal) -> EscalationPolicy:
    """Lock the policy, and before it its team."""
    seen = await queries.get_policy(tx.session, policy_id, by)
    await get_team(tx.session, seen.team_id, by, lock=True)
    return await queries.get_policy(tx.session, policy_id, by, lock=True)


async def delete_policy(tx: Tx, policy: EscalationPolicy) -> None:
    """Delete a locked policy with its levels; a foreign key refuses it while a service names it."""
    await tx.session.delete(policy)
    await tx.flush()


def as_asked(wanted: Sequence[LevelWrite]) -> dict[str, PlanLevel]:
    """Return all levels of a request, in the domain's words."""
    return rungs.as_listed([level.as_plan() for level in wanted])


async def usable_levels(
    tx: Tx, asked: rungs.Asked, by: Principal, *, of: UUID | None = None
) -> list[PlanLevel]:
    """Return the levels with each target once.

    The policy `of` may go on naming another team's schedule or channel that an admin has put
    there.

    The users, schedules and channels are locked against being deleted or made inactive until the
    levels are written.

    Raises:
        TargetNotUsable: somebody cannot be paged.
        TimeoutTooShort: the entire team has less than 3 minutes.
    """
    rungs.require_usable(asked)
    active = await tx.session.scalars(
        select(User.id)
        .where(User.id.in_(rungs.named(asked, TargetType.USER)), User.is_active)
        .order_by(User.id)
        .with_for_update(read=True)
    )
    named = select(Schedule.id).where(Schedule.id.in_(rungs.named(asked, TargetType.SCHEDULE)))
    schedules = await tx.session.scalars(
        visible(named, Schedule.team_id, by).order_by(Schedule.id).with_for_update(read=True)
    )
    named = select(ContactMethod.id).where(
        ContactMethod.id.in_(rungs.named(asked, TargetType.TEAM_CHANNEL)),
        ContactMethod.team_id.is_not(None),
        ContactMethod.retired_at.is_(None),
    )
    channels = await tx.session.scalars(
        visible(named, ContactMethod.team_id, by)
        .order_by(ContactMethod.id)
        .with_for_update(read=True)
    )
    already = await targets_of(tx, of)
    rungs.require_known(
        asked,
        set(active),
        {*schedules, *ids_of(already, TargetType.SCHEDULE)},
        {*channels, *ids_of(already, TargetType.TEAM_CHANNEL)},
    )
    return [rungs.merged(level) for level in asked.values()]


async def targets_of(tx: Tx, policy_id: UUID | None) -> set[Target]:
    """Return whom a policy names."""
    if policy_id is None:
        return set()
    rows = (await queries.load_levels(tx.session, [policy_id])).get(policy_id, [])
    return {target for row in rows for target in queries.plan_level(row).targets}


async def replace_levels(tx: Tx, policy_id: UUID, levels: Sequence[PlanLevel]) -> None:
    """Write these levels in the place of those that the policy has."""
    await tx.session.execute(
        delete(EscalationLevel).where(EscalationLevel.escalation_policy_id == policy_id)
    )
    await write_levels(tx, policy_id, levels)


async def write_levels(tx: Tx, policy_id: UUID, levels: Sequence[PlanLevel]) -> None:
    """Write the levels of a policy that has none, numbered from 1."""
    rows: list[dict[str, Any]] = [
        {
            "id": new_id(),
            "escalation_policy_id": policy_id,
            "level_number": number,
            "target_type": level.targets[0].type,
            "target_id": level.targets[0].id,
            "additional_targets": [as_json(target) for target in level.targets[1:]],
            "timeout_minutes": level.timeout_minutes,
            "created_at": tx.now,
        }
        for number, level in enumerate(levels, start=1)
    ]
    if rows:
        await tx.session.execute(insert(EscalationLevel), rows)


def as_json(target: Target) -> dict[str, str | None]:
    """Return the form kept in `additional_targets`."""
    return {
        "target_type": target.type.value,
        "target_id": str(target.id) if target.id else None,
    }


async def drop_default(tx: Tx, team_id: UUID) -> None:
    """Leave the team without a default; its row must be locked."""
    await tx.session.execute(
        update(EscalationPolicy)
        .where(EscalationPolicy.team_id == team_id, EscalationPolicy.is_default)
        .values(is_default=False, updated_at=tx.now)
    )
