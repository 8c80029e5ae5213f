"""Decide whether the levels of a policy can be used. Pure.

Pointers are those of the request: the first target of a level is written in the level itself,
the others under `additional_targets`.
"""

from collections.abc import Collection, Iterator, Sequence
from uuid import UUID

from incident_service.core.errors import Invalid
from incident_service.policies.models import TargetType
from incident_service.policies.plan import PlanLevel, Target

# A whole team needs a moment to agree on who answers.
SHORTEST_TEAM_TIMEOUT = 3


class TargetNotUsable(Invalid):
    """The target cannot be paged."""


class TimeoutTooShort(Invalid):
    """A level that pages the entire team needs at least 3 minutes."""


def targets_with_pointers(levels: Sequence[PlanLevel]) -> Iterator[tuple[Target, str]]:
    """Go through all targets and where each stands in the request."""
    for number, level in enumerate(levels):
        for index, target in enumerate(level.targets):
            place = f"/levels/{number}"
            yield target, f"{place}/additional_targets/{index - 1}" if index else place


def require_usable(levels: Sequence[PlanLevel]) -> None:
    """Refuse what no installation could page.

    Raises:
        TargetNotUsable: a user or a schedule without an id, an id of the entire team.
        TimeoutTooShort: the entire team has less than 3 minutes.
    """
    for target, pointer in targets_with_pointers(levels):
        match target.type:
            case TargetType.SCHEDULE if target.id is None:
                raise TargetNotUsable("A schedule is named by its id.", f"{pointer}/target_id")
            case TargetType.USER if target.id is None:
                raise TargetNotUsable("A user is named by its id.", f"{pointer}/target_id")
            case TargetType.ENTIRE_TEAM if target.id is not None:
                raise TargetNotUsable(
                    "The entire team is always the policy's own: leave the id out.",
                    f"{pointer}/target_id",
                )
            case _:
                pass
    for number, level in enumerate(levels):
        whole_team = any(target.type is TargetType.ENTIRE_TEAM for target in level.targets)
        if whole_team and level.timeout_minutes < SHORTEST_TEAM_TIMEOUT:
            raise TimeoutTooShort("", f"/levels/{number}/timeout_minutes")


def named(levels: Sequence[PlanLevel], what: TargetType) -> set[UUID]:
    """Return the ids of the targets of a type."""
    found = targets_with_pointers(levels)
    return {target.id for target, _ in found if target.type is what and target.id}


def require_known(
    levels: Sequence[PlanLevel], users: Collection[UUID], schedules: Collection[UUID]
) -> None:
    """Refuse users who are not among the active ones, and schedules that are not there.

    Raises:
        TargetNotUsable: at the first of them.
    """
    for target, pointer in targets_with_pointers(levels):
        if target.type is TargetType.USER and target.id not in users:
            raise TargetNotUsable("There is no such active user.", f"{pointer}/target_id")
        if target.type is TargetType.SCHEDULE and target.id not in schedules:
            raise TargetNotUsable("There is no such schedule.", f"{pointer}/target_id")


def merged(level: PlanLevel) -> PlanLevel:
    """Name each target once, where it came first."""
    return PlanLevel(tuple(dict.fromkeys(level.targets)), level.timeout_minutes)
