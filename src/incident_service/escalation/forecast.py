"""Say whom a policy would page, and when, by the same decisions as a climb. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from incident_service.escalation import steps
from incident_service.escalation.steps import Exhausted, NobodyToPage, Page, Position
from incident_service.policies.plan import Plan
from incident_service.policies.targets import Person, Reach, TeamChannel


@dataclass(frozen=True, slots=True)
class Foreseen:
    """A level at its time, and whom it pages; nobody: it is passed over at once."""

    at: datetime
    position: Position
    people: tuple[Person, ...]
    channels: tuple[TeamChannel, ...] = ()


@dataclass(frozen=True, slots=True)
class End:
    """How the climb ends if nobody answers, and which managers are told then.

    `exhausted`: the last level had its time. `nobody_to_page`: a whole pass pages nobody. With no
    manager to tell, the installation's fallback contact is.
    """

    at: datetime
    kind: Literal["exhausted", "nobody_to_page"]
    managers: tuple[Person, ...]
    tells_fallback: bool


@dataclass(frozen=True, slots=True)
class Forecast:
    """The levels in the order in which they come, and the end."""

    levels: tuple[Foreseen, ...]
    end: End


def foresee(
    plan: Plan,
    team_id: UUID,
    reach_at: Callable[[datetime], Reach],
    begins: datetime,
    minute: timedelta,
) -> Forecast:
    """Run a plan in thought from its first level, with nobody answering.

    `reach_at` says who can be told at an instant, `minute` how long a policy's minute is.
    """
    levels: list[Foreseen] = []
    due, at = steps.FIRST, begins
    while True:
        reach = reach_at(at)
        people = [tuple(reach.meant_by(team_id, level.targets)) for level in plan.levels]
        reachable = {number for number, found in enumerate(people, start=1) if found}
        step = steps.next_step(plan, due, reachable)
        levels += passed_over(step.skipped, at)
        match step:
            case Page():
                told = people[step.at.level - 1]
                channels = reach.channels_of(plan.levels[step.at.level - 1].targets)
                levels.append(Foreseen(at, step.at, told, tuple(channels)))
                due, at = step.following, at + minute * step.wait_minutes
            case Exhausted():
                return Forecast(tuple(levels), end(at, "exhausted", team_id, reach))
            case NobodyToPage():
                return Forecast(tuple(levels), end(at, "nobody_to_page", team_id, reach))


def passed_over(skipped: tuple[Position, ...], at: datetime) -> Iterator[Foreseen]:
    """Go through the levels that have nobody to page."""
    return (Foreseen(at, position, ()) for position in skipped)


def end(
    at: datetime, kind: Literal["exhausted", "nobody_to_page"], team_id: UUID, reach: Reach
) -> End:
    """Return how a climb ends, by who can be told then."""
    managers = tuple(reach.managers(team_id))
    fallback = not managers and reach.fallback_contact_method_id is not None
    return End(at, kind, managers, fallback)
