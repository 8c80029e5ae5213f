"""The copy of a policy that a climb follows. Pure.

Editing or deleting a policy never disturbs a running climb, because the incident carries this
plan. *Who* a target means is not part of it: that is asked when the level runs.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from incident_service.core.compact_json import dumps
from incident_service.policies.models import TargetType


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """Whom a level tells; `id` is None for the entire team."""

    type: TargetType
    id: UUID | None = None


@dataclass(frozen=True, slots=True)
class PlanLevel:
    """One rung: its targets, and how many policy minutes they have to answer."""

    targets: tuple[Target, ...]
    timeout_minutes: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Levels from the first to the last, run `repeat_count` times in all."""

    levels: tuple[PlanLevel, ...] = ()
    repeat_count: int = 1
    ack_timeout_minutes: int | None = None
    exhausted_reminder_minutes: int | None = 30

    def as_json(self) -> dict[str, Any]:
        """Return the form kept with the incident."""
        return {
            "levels": [
                {
                    "targets": [
                        {"type": target.type.value, "id": str(target.id) if target.id else None}
                        for target in level.targets
                    ],
                    "timeout_minutes": level.timeout_minutes,
                }
                for level in self.levels
            ],
            "repeat_count": self.repeat_count,
            "ack_timeout_minutes": self.ack_timeout_minutes,
            "exhausted_reminder_minutes": self.exhausted_reminder_minutes,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Plan":
        """Read what `as_json` wrote."""
        return read(dumps(data))


@lru_cache(maxsize=256)
def read(text: str) -> Plan:
    """Read a plan, once for all incidents of a storm: they follow copies of the same policy."""
    data = json.loads(text)
    return Plan(
        levels=tuple(
            PlanLevel(
                targets=tuple(
                    Target(TargetType(item["type"]), UUID(item["id"]) if item["id"] else None)
                    for item in level["targets"]
                ),
                timeout_minutes=level["timeout_minutes"],
            )
            for level in data["levels"]
        ),
        repeat_count=data["repeat_count"],
        ack_timeout_minutes=data["ack_timeout_minutes"],
        exhausted_reminder_minutes=data["exhausted_reminder_minutes"],
    )


NO_PLAN = Plan()
"""Nobody is named: the team's managers and the fallback contact are all there is."""
