"""Look at a schedule over a time, and at who is on call now and next. Pure."""

from datetime import datetime, timedelta

from incident_service.core.errors import Invalid
from incident_service.schedules.oncall import Roster, Shift, shifts
from incident_service.web.timespans import require_span

USUAL_SPAN = timedelta(days=14)
LONGEST_SPAN = timedelta(days=366)
# How far to look for the end of a shift and for the next one: further only when it is needed.
HORIZONS = (timedelta(days=2), timedelta(days=16), timedelta(days=100), LONGEST_SPAN)


MOST_TURNS = 20_000
"""More than this takes a second to go through, while others wait."""


class TooManyShifts(Invalid):
    """There are too many shifts in that time; look at less of it."""


def span(
    begins: datetime | None, ends: datetime | None, now: datetime, pointer: str
) -> tuple[datetime, datetime]:
    """Return the time to look at: from now, for 14 days, unless something else is asked for.

    `pointer` is where its end is asked for.

    Raises:
        SpanWrong: it is empty, or too long.
    """
    begins = begins or now
    ends = ends or begins + USUAL_SPAN
    require_span(begins, ends, pointer, longest=LONGEST_SPAN)
    return begins, ends


def count_turns(roster: Roster, span: timedelta) -> int:
    """Return about how many shifts the layers have in so much time, all together."""
    return sum(span // layer.rotation.length + 1 for layer in roster.layers)


def require_few(roster: Roster, begins: datetime, ends: datetime) -> None:
    """Refuse to go through more shifts than there is time for.

    Raises:
        TooManyShifts: there are more than 20,000.
    """
    if count_turns(roster, ends - begins) > MOST_TURNS:
        raise TooManyShifts("", "/to")


def without_haste(roster: Roster, begins: datetime, ends: datetime) -> datetime:
    """Return `ends`, or an earlier end of a time that does not hold too many shifts."""
    while count_turns(roster, ends - begins) > MOST_TURNS:
        ends = begins + (ends - begins) / 2
    return ends


def present_and_next(roster: Roster, now: datetime) -> tuple[Shift | None, Shift | None]:
    """Return the shift that holds an instant, whole from there on, and the one after it."""
    present: Shift | None = None
    following: Shift | None = None
    for horizon in HORIZONS:
        if count_turns(roster, horizon) > MOST_TURNS:
            break
        found = shifts(roster, now, now + horizon)
        present = next((each for each in found if each.starts_at <= now), None)
        following = next((each for each in found if each.starts_at > now), None)
        if following is not None:
            break
    return present, following
