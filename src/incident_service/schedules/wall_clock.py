"""Turn what a clock on a wall shows into instants, through every change of the clocks. Pure."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

ONE_SECOND = timedelta(seconds=1)


def wall_time(instant: datetime, zone: ZoneInfo) -> datetime:
    """Return what the clock shows at an instant, without a zone."""
    return instant.astimezone(zone).replace(tzinfo=None)


@lru_cache(maxsize=65_536)
def instant_of(shown: datetime, zone: ZoneInfo) -> datetime:
    """Return when the clock first shows a time, in UTC.

    A time that is left out in spring stands for the instant of the jump; of one that comes twice
    in autumn, the first is meant. So later times never come earlier, and each time is one instant.
    """
    before = as_utc(shown, zone, fold=0)
    if wall_time(before, zone) == shown:
        return before
    return jump_between(as_utc(shown, zone, fold=1), before, zone)


def as_utc(shown: datetime, zone: ZoneInfo, *, fold: int) -> datetime:
    """Read a time by the offset before (0) or after (1) a change of the clock that it meets."""
    return shown.replace(tzinfo=zone, fold=fold).astimezone(UTC)


def jump_between(early: datetime, late: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant between two at which the zone's offset changes."""
    offset_before = early.astimezone(zone).utcoffset()
    while late - early > ONE_SECOND:
        middle = early + ((late - early) // 2 // ONE_SECOND) * ONE_SECOND
        if middle.astimezone(zone).utcoffset() == offset_before:
            early = middle
        else:
            late = middle
    return late
