"""Decide how many deliveries to each receiver may be under way at once. Pure.

A lane is busy for up to 10 s with a receiver that does not answer. So a receiver that fails has
one, and all that fail together leave half of the lanes to the others.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

LANES = 40
LANES_EACH = 4


@dataclass(frozen=True, slots=True)
class Demand:
    """How many deliveries of a subscription could start now."""

    subscription_id: UUID
    deliveries: int
    is_failing: bool

    @property
    def most_lanes(self) -> int:
        """How many lanes it may have."""
        return 1 if self.is_failing else LANES_EACH

    @property
    def room(self) -> int:
        """Up to how many busy lanes, of all subscriptions, it may take another."""
        return LANES // 2 if self.is_failing else LANES


def share(demands: Sequence[Demand], busy: Mapping[UUID, int]) -> dict[UUID, int]:
    """Return how many lanes to open for each subscription, beside those that are busy.

    Each gets a first one before any gets a second; `demands` come with the longest due first.
    """
    opened: Counter[UUID] = Counter()
    total = sum(busy.values())
    for _ in range(LANES_EACH):
        for demand in demands:
            id_ = demand.subscription_id
            wants = opened[id_] < demand.deliveries
            may = busy.get(id_, 0) + opened[id_] < demand.most_lanes and total < demand.room
            if wants and may:
                opened[id_] += 1
                total += 1
    return dict(opened)
