"""Decide what a climb does next. Pure: no clock, no database, no queue.

A plan is run from its first level to its last, `repeat_count` times in all. A level with nobody
to page is passed over at once. When the levels have run out the climb is exhausted; when a whole
pass would page nobody, somebody else has to be told.
"""

from collections.abc import Collection
from dataclasses import dataclass

from incident_service.policies.plan import Plan


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the climb: which pass, which level. Both count from 1."""

    repeat: int
    level: int


FIRST = Position(1, 1)


@dataclass(frozen=True, slots=True)
class Page:
    """Page the level at `at` now; `following` is due after `wait_minutes` policy minutes."""

    at: Position
    following: Position
    wait_minutes: int
    skipped: tuple[Position, ...] = ()


@dataclass(frozen=True, slots=True)
class Exhausted:
    """The last level has had its time and nobody answered."""

    at: Position
    skipped: tuple[Position, ...] = ()


@dataclass(frozen=True, slots=True)
class NobodyToPage:
    """A whole pass has nobody to page, or there is no level at all. `at` is the climb's end."""

    at: Position
    skipped: tuple[Position, ...] = ()


Step = Page | Exhausted | NobodyToPage


def next_step(plan: Plan, due: Position, reachable: Collection[int]) -> Step:
    """Decide what happens when `due` comes due.

    `reachable` are the numbers of the levels that have somebody to page at this moment.
    """
    end = exhaustion(plan)
    if not plan.levels:
        return NobodyToPage(end)
    skipped: list[Position] = []
    position = due
    while position < end:
        if position.level in reachable:
            wait = plan.levels[position.level - 1].timeout_minutes
            return Page(position, following(plan, position), wait, tuple(skipped))
        skipped.append(position)
        if len(skipped) >= len(plan.levels) and not reachable:
            return NobodyToPage(end, tuple(skipped))
        position = following(plan, position)
    return Exhausted(end, tuple(skipped))


def following(plan: Plan, position: Position) -> Position:
    """Return the position after this one; after the last level of the last pass, the exhaustion."""
    if position.level < len(plan.levels):
        return Position(position.repeat, position.level + 1)
    if position.repeat < plan.repeat_count:
        return Position(position.repeat + 1, 1)
    return exhaustion(plan)


def exhaustion(plan: Plan) -> Position:
    """Return the position that stands for the end of the climb: one above the last level."""
    return Position(plan.repeat_count, len(plan.levels) + 1)
