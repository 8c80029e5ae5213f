"""Decide whether the service is fit: a canary is fresh and nothing is overdue. Pure."""

from dataclasses import dataclass
from datetime import timedelta

FRESH = timedelta(minutes=3)
"""Canaries come every minute; two may get lost on the way, as in the restart of a worker."""
OVERDUE = timedelta(seconds=30)
"""Without Redis, timers and pages are at most 10 s late."""


@dataclass(frozen=True, slots=True)
class Lateness:
    """How long the longest overdue timer and page are overdue; zero when none is."""

    timer: timedelta
    page: timedelta


def why_stale(canary_age: timedelta | None) -> str | None:
    """Say what is wrong when no canary came through lately; None is the age when none ever did."""
    if canary_age is None:
        return "No canary has come through yet: is a worker running?"
    if canary_age > FRESH:
        return f"The last canary came through {seconds(canary_age)} s ago: is a worker running?"
    return None


def why_overdue(late: Lateness) -> str | None:
    """Say what waits longer than it ever should."""
    if late.timer > OVERDUE:
        return f"An escalation is {seconds(late.timer)} s late: is a worker running?"
    if late.page > OVERDUE:
        return f"A page is {seconds(late.page)} s late: is a worker running?"
    return None


@dataclass(frozen=True, slots=True)
class Call:
    """Call the dead-man's switch now."""


@dataclass(frozen=True, slots=True)
class Used:
    """The newest canary has been used for a call; wait for the next one."""


@dataclass(frozen=True, slots=True)
class Withhold:
    """Pages do not get through as they should: let the switch raise its alarm."""

    reason: str


Decision = Call | Used | Withhold


def decide(canary_age: timedelta | None, late: Lateness, *, used: bool) -> Decision:
    """Decide about a call; `used` says that the newest canary was already good for one."""
    if reason := why_stale(canary_age) or why_overdue(late):
        return Withhold(reason)
    return Used() if used else Call()


def seconds(duration: timedelta) -> int:
    """Return whole seconds."""
    return round(duration.total_seconds())
