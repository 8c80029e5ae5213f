"""Say for the timeline who was told, why them, and who was passed over and why. Pure."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from incident_service.policies.models import TargetType
from incident_service.policies.plan import Target
from incident_service.policies.targets import Person, Reach, TeamChannel

Because = Mapping[UUID, Sequence[dict[str, Any]]]
MANAGER = {"type": "manager"}
FALLBACK = {"id": None, "name": "fallback contact", "because": [{"type": "fallback"}]}


def because_of(reach: Reach, team_id: UUID, targets: Collection[Target]) -> Because:
    """Return the targets by which each person is meant, as the timeline shows them."""
    return {
        user_id: [target_as_json(reach, target) for target in found]
        for user_id, found in reach.because(team_id, targets).items()
    }


def people(told: Sequence[Person], because: Because) -> list[dict[str, Any]]:
    """Return people who were told, and why them."""
    return [
        {"id": str(each.id), "name": each.name, "because": list(because.get(each.id, ()))}
        for each in told
    ]


def channels(told: Sequence[TeamChannel]) -> list[dict[str, Any]]:
    """Return channels that were told."""
    return [{"id": str(each.id), "name": each.name} for each in told]


def passed_over(reach: Reach, team_id: UUID, targets: Collection[Target]) -> dict[str, Any]:
    """Return who of `targets` could not be told, and which of them mean nobody at the moment."""
    missed = reach.missed_by(team_id, targets)
    empty = reach.empty(team_id, targets)
    shown: dict[str, Any] = {}
    if missed:
        shown["unreachable"] = [
            {"id": str(each.id), "name": each.name, "why": each.why} for each in missed
        ]
    if empty:
        shown["empty"] = [target_as_json(reach, target) for target in dict.fromkeys(empty)]
    return shown


def target_as_json(reach: Reach, target: Target) -> dict[str, Any]:
    """Return a target; a schedule with its name, unless it was deleted."""
    match target.type:
        case TargetType.SCHEDULE if target.id:
            name = reach.schedules.get(target.id)
            return {"type": target.type.value, "id": str(target.id), "name": name}
        case TargetType.TEAM_CHANNEL:
            return {"type": target.type.value, "id": str(target.id)}
        case _:
            return {"type": target.type.value}
