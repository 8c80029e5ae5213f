"""Decide whether the levels of a policy can be used. Pure.

Pointers are those of the request: the first target of a level is written in the level itself,
the others under `additional_targets`.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from uuid import UUID

from incident_service.core.errors import Invalid, NotFound
from incident_service.policies.models import TargetType
from incident_service.policies.plan import PlanLevel, Target

# A whole team needs a moment to agree on who answers.
SHORTEST_TEAM_TIMEOUT = 3
MOST_LEVELS = 10


class TargetNotUsable(Invalid):
    """The target cannot be paged."""


class TimeoutTooShort(Invalid):
    """A level that pages the entire team needs at least 3 minutes."""


class TooManyLevels(Invalid):
    """A policy has at most ten levels."""


class LevelNotFound(NotFound):
    """The policy has no level of this number."""


Asked = Mapping[str, PlanLevel]
"""Levels by the JSON pointer of where each stands in the request."""


def as_listed(levels: Sequence[PlanLevel]) -> dict[str, PlanLevel]:
    """Point at the levels of a request that has all of them."""
    return {f"/levels/{index}": level for index, level in enumerate(levels)}


def targets_with_pointers(asked: Asked) -> Iterator[tuple[Target, str]]:
    """Go through all targets and where each stands in the request."""
    for place, level in asked.items():
        for index, target in enumerate(level.targets):
            yield target, f"{place}/additional_targets/{index - 1}" if index else place


def require_usable(asked: Asked) -> None:
    """Refuse what no installation could page.

    Raises:
        TargetNotUsable: somebody without an id, an id of the entire team, a channel that comes
            first.
        TimeoutTooShort: the entire team has less than 3 minutes.
    """
    for target, pointer in targets_with_pointers(asked):
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
            case TargetType.TEAM_CHANNEL if target.id is None:
                raise TargetNotUsable("A channel is named by its id.", f"{pointer}/target_id")
            case TargetType.TEAM_CHANNEL if pointer in asked:
                raise TargetNotUsable(
                    "A channel is told in addition to people: name a user, a schedule or the "
                    "entire team first, and the channel in additional_targets.",
                    f"{pointer}/target_type",
                )
            case _:
                pass
    for place, level in asked.items():
        whole_team = any(target.type is TargetType.ENTIRE_TEAM for target in level.targets)
        if whole_team and level.timeout_minutes < SHORTEST_TEAM_TIMEOUT:
            raise TimeoutTooShort("", f"{place}/timeout_minutes")


def named(asked: Asked, what: TargetType) -> set[UUID]:
    """Return the ids of the targets of a type."""
    found = targets_with_pointers(asked)
    return {target.id for target, _ in found if target.type is what and target.id}


def require_known(
    asked: Asked,
    users: Collection[UUID],
    schedules: Collection[UUID],
    channels: Collection[UUID] = (),
) -> None:
    """Refuse users who are not among the active ones, and what else is not there.

    Raises:
        TargetNotUsable: at the first of them.
    """
    for target, pointer in targets_with_pointers(asked):
        if target.type is TargetType.USER and target.id not in users:
            raise TargetNotUsable("There is no such active user.", f"{pointer}/target_id")
        if target.type is TargetType.SCHEDULE and target.id not in schedules:
            raise TargetNotUsable("There is no such schedule.", f"{pointer}/target_id")
        if target.type is TargetType.TEAM_CHANNEL and target.id not in channels:
            raise TargetNotUsable("There is no such team channel.", f"{pointer}/target_id")


def merged(level: PlanLevel) -> PlanLevel:
    """Name each target once, where it came first."""
    return PlanLevel(tuple(dict.fromkeys(level.targets)), level.timeout_minutes)


def inserted(
    levels: Sequence[PlanLevel], level: PlanLevel, number: int | None
) -> Sequence[PlanLevel]:
    """Put a level in at a number, so that the ones from there on move up; None: at the end.

    Raises:
        LevelNotFound: the level before it is missing.
        TooManyLevels: there are ten.
    """
    if len(levels) >= MOST_LEVELS:
        raise TooManyLevels("")
    number = number or len(levels) + 1
    if number > len(levels) + 1:
        raise LevelNotFound(f"The policy has {len(levels)} levels; choose a number up to one more.")
    return (*levels[: number - 1], level, *levels[number - 1 :])


def replaced(levels: Sequence[PlanLevel], level: PlanLevel, number: int) -> Sequence[PlanLevel]:
    """Put a level in the place of another.

    Raises:
        LevelNotFound: there is none of this number.
    """
    require_number(levels, number)
    return (*levels[: number - 1], level, *levels[number:])


def removed(levels: Sequence[PlanLevel], number: int) -> Sequence[PlanLevel]:
    """Take a level out, so that the ones after it move down.

    Raises:
        LevelNotFound: there is none of this number.
    """
    require_number(levels, number)
    return (*levels[: number - 1], *levels[number:])


def require_number(levels: Sequence[PlanLevel], number: int) -> None:
    """Refuse the number of a level that is not there.

    Raises:
        LevelNotFound: it is not.
    """
    if not 1 <= number <= len(levels):
        raise LevelNotFound
