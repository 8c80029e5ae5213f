"""Whose turn it is in one layer of a schedule. Pure.

Everything is counted on the wall's clock: a shift that begins at 9 begins at 9 in summer, too. A
layer's shifts are half-open and meet, so there is always exactly one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import cached_property
from itertools import accumulate
from math import gcd, lcm
from uuid import UUID
from zoneinfo import ZoneInfo

from incident_service.schedules.wall_clock import instant_of, wall_time

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)
HOURS_A_DAY = 24
MONDAY = datetime(2001, 1, 1)  # noqa: DTZ001 - of no zone


class ShiftUnit(StrEnum):
    """What a shift's length is counted in."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"


UNIT_LENGTH = {ShiftUnit.HOUR: HOUR, ShiftUnit.DAY: DAY, ShiftUnit.WEEK: WEEK}


@dataclass(frozen=True, slots=True)
class Window:
    """A time of the week in which a layer works; `weekdays` are those it begins on, 0 is Monday.

    One that ends no later than it begins goes on into the next day.
    """

    weekdays: frozenset[int]
    begins: time
    ends: time

    def on(self, day: date) -> tuple[datetime, datetime] | None:
        """Return the window that begins on a day, on the wall's clock."""
        if day.weekday() not in self.weekdays:
            return None
        last = day if self.ends > self.begins else day + DAY
        return datetime.combine(day, self.begins), datetime.combine(last, self.ends)


@dataclass(frozen=True, slots=True)
class Turn:
    """A shift and whose it is; `user_id` is None when the layer has no participants."""

    number: int
    starts_at: datetime
    ends_at: datetime
    user_id: UUID | None


@dataclass(frozen=True)
class Rotation:
    """Participants who take turns.

    A shift lasts `every` units. Shifts begin at `handoff` o'clock, weekly ones on `weekday` (0 is
    Monday). Number 0 is the shift in which `starts_at` lies; the participant at `first` has it. A
    shift that lies wholly outside the windows consumes no turn.
    """

    zone: ZoneInfo
    unit: ShiftUnit
    every: int
    handoff: time
    starts_at: datetime
    participants: tuple[UUID, ...]
    weekday: int = 0
    first: int = 0
    ends_at: datetime | None = None
    windows: tuple[Window, ...] = ()

    @cached_property
    def length(self) -> timedelta:
        """Return how long a shift lasts, on the wall's clock."""
        return UNIT_LENGTH[self.unit] * self.every

    @cached_property
    def anchor(self) -> datetime:
        """Return when shift 0 begins, on the wall's clock: the last hand-off up to `starts_at`.

        That is the last day or week at `handoff`, also when only every third begins a shift. Hours
        are counted from `handoff`, too: 12 of them, from 8 o'clock, begin at 8 and at 20.
        """
        grid = MONDAY + timedelta(hours=self.handoff.hour, minutes=self.handoff.minute)
        step = UNIT_LENGTH[self.unit]
        if self.unit is ShiftUnit.WEEK:
            grid += timedelta(days=self.weekday)
        if self.unit is ShiftUnit.HOUR:
            step *= gcd(self.every, HOURS_A_DAY)
        return grid + (wall_time(self.starts_at, self.zone) - grid) // step * step

    def begins(self, number: int) -> datetime:
        """Return when a shift begins."""
        return instant_of(self.anchor + number * self.length, self.zone)

    def number_at(self, instant: datetime) -> int:
        """Return the number of the shift that holds an instant.

        The clock on the wall is only a first guess: it goes back in autumn, instants do not.
        """
        number = (wall_time(instant, self.zone) - self.anchor) // self.length
        while self.begins(number) > instant:
            number -= 1
        while self.begins(number + 1) <= instant:
            number += 1
        return number

    def turn_at(self, instant: datetime) -> Turn:
        """Return the shift that holds an instant."""
        number = self.number_at(instant)
        return Turn(number, self.begins(number), self.begins(number + 1), self.user_of(number))

    def user_of(self, number: int) -> UUID | None:
        """Return whose shift a number is."""
        if not self.participants:
            return None
        return self.participants[(self.turns_before(number) + self.first) % len(self.participants)]

    def turns_before(self, number: int) -> int:
        """Count the turns from shift 0 up to a shift: those that lie in no window are left out."""
        if not self.windows:
            return number
        periods, rest = divmod(number, len(self._turns_in_period) - 1)
        return periods * self._turns_in_period[-1] + self._turns_in_period[rest]

    @cached_property
    def _turns_in_period(self) -> Sequence[int]:
        """Count the turns before each shift, until shifts lie in the week as at first."""
        shifts = lcm(self.length // HOUR, WEEK // HOUR) // (self.length // HOUR)
        return list(accumulate((self._is_worked(number) for number in range(shifts)), initial=0))

    def _is_worked(self, number: int) -> bool:
        begins = self.anchor + number * self.length
        ends = begins + self.length
        return any(begin < ends and begins < end for begin, end in self._windows(begins, ends))

    def is_at_work(self, instant: datetime) -> bool:
        """Say whether the layer works: it has begun, has not ended, and a window is open."""
        if instant < self.starts_at or (self.ends_at is not None and instant >= self.ends_at):
            return False
        if not self.windows:
            return True
        shown = wall_time(instant, self.zone)
        return any(
            instant_of(begin, self.zone) <= instant < instant_of(end, self.zone)
            for begin, end in self._windows(shown, shown)
        )

    def _windows(self, begins: datetime, ends: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Go through the windows of the days from the one before `begins` to that of `ends`."""
        day = begins.date() - 2 * DAY
        while day <= ends.date():
            for window in self.windows:
                found = window.on(day)
                if found:
                    yield found
            day += DAY

    def user_at(self, instant: datetime) -> UUID | None:
        """Return whom the layer has on call at an instant."""
        return self.turn_at(instant).user_id if self.is_at_work(instant) else None

    def spans(self, begins: datetime, ends: datetime) -> Iterator[tuple[datetime, datetime, UUID]]:
        """Go through the times between two instants in which somebody is on call, in order."""
        begins = max(begins, self.starts_at)
        ends = min(ends, self.ends_at or ends)
        if begins >= ends or not self.participants:
            return
        turns = self.turns(begins, ends)
        turn = next(turns)
        for opens, closes in self.open_times(begins, ends):
            while turn.ends_at <= opens:
                turn = next(turns)
            while turn.starts_at < closes:
                start, end = max(turn.starts_at, opens), min(turn.ends_at, closes)
                if start < end and turn.user_id is not None:
                    yield start, end, turn.user_id
                if turn.ends_at > closes or turn.ends_at >= ends:
                    break
                turn = next(turns)

    def turns(self, begins: datetime, ends: datetime) -> Iterator[Turn]:
        """Go through the shifts from the one that holds an instant, until one ends at `ends`."""
        number = self.number_at(begins)
        starts_at = self.begins(number)
        while starts_at < ends:
            ends_at = self.begins(number + 1)
            yield Turn(number, starts_at, ends_at, self.user_of(number))
            number, starts_at = number + 1, ends_at

    def open_times(self, begins: datetime, ends: datetime) -> list[tuple[datetime, datetime]]:
        """Return the times between two instants in which a window is open, joined, in order."""
        if not self.windows:
            return [(begins, ends)]
        shown = wall_time(begins, self.zone), wall_time(ends, self.zone)
        found = sorted(
            (max(instant_of(opens, self.zone), begins), min(instant_of(closes, self.zone), ends))
            for opens, closes in self._windows(*shown)
        )
        joined: list[tuple[datetime, datetime]] = []
        for opens, closes in found:
            if opens >= closes:
                continue
            if joined and opens <= joined[-1][1]:
                joined[-1] = joined[-1][0], max(joined[-1][1], closes)
            else:
                joined.append((opens, closes))
        return joined


def keep_turn(old: Rotation, new: Rotation, now: datetime) -> int:
    """Return the `first` with which a changed layer leaves the present turn to whom it belongs.

    When that person is no longer among the participants, the next of the old ones who still is
    takes over.
    """
    if not new.participants:
        return 0
    after = new.turns_before(new.number_at(now))
    for offset in range(len(old.participants)):
        place = old.turns_before(old.number_at(now)) + old.first + offset
        user_id = old.participants[place % len(old.participants)]
        if user_id in new.participants:
            return (new.participants.index(user_id) - after) % len(new.participants)
    return -after % len(new.participants)
