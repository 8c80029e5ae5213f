"""Decide when each of a person's addresses is told about an incident. Pure.

A person may have rules for a priority: which address, how many minutes after the level began.
Somebody without a rule for a priority that still has its address is told everywhere at once: a
rule that lost its address must not silence anybody.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from incident_service.catalog.priority import Priority

QUIETABLE = (Priority.MEDIUM, Priority.LOW, Priority.INFO)
"""Quiet hours never put off what is critical or high."""


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From one time of day to another, on the next day unless later, in the person's zone."""

    zone: ZoneInfo
    begins: time
    ends: time

    def end_after(self, now: datetime) -> datetime | None:
        """Return when the quiet hours that `now` lies in are over; None: it is not quiet."""
        shown = now.astimezone(self.zone)
        for day in (shown.date() - timedelta(days=1), shown.date()):
            begins = datetime.combine(day, self.begins, self.zone)
            over_midnight = timedelta(days=self.ends <= self.begins)
            ends = datetime.combine(day + over_midnight, self.ends, self.zone)
            if begins.astimezone(now.tzinfo) <= now < ends.astimezone(now.tzinfo):
                return ends.astimezone(now.tzinfo)
        return None


@dataclass(frozen=True, slots=True)
class Habits:
    """How a person wants to be told: by priority, the minutes of each address."""

    delays: Mapping[Priority, Mapping[UUID, int]] = field(default_factory=dict)
    quiet: QuietHours | None = None


NO_HABITS = Habits()


@dataclass(frozen=True, slots=True)
class Told:
    """An address, and when it is told."""

    contact_method_id: UUID
    at: datetime


def quiet_until(habits: Habits, priority: Priority, now: datetime) -> datetime:
    """Return when the person may be told: now, or when the quiet hours are over."""
    return quiet_end(habits.quiet, priority, now) or now


def quiet_end(quiet: QuietHours | None, priority: Priority, now: datetime) -> datetime | None:
    """Return when the quiet hours are over that put off a priority now; None: they do not."""
    if quiet is None or priority not in QUIETABLE:
        return None
    return quiet.end_after(now)


def chain(
    habits: Habits, addresses: Sequence[UUID], priority: Priority, now: datetime, minute: timedelta
) -> list[Told]:
    """Return when each address is told; `addresses` are those that can be used now.

    In quiet hours everything is put off until their end, and keeps its order.
    """
    begins = quiet_until(habits, priority, now)
    delays = habits.delays.get(priority, {})
    ruled = [Told(id_, begins + minute * delays[id_]) for id_ in addresses if id_ in delays]
    return ruled or [Told(id_, begins) for id_ in addresses]
