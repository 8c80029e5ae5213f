"""Who is on call: layers over layers, and overrides over all. Pure.

The API, the preview, the calendar and the climb all ask here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from uuid import UUID

from incident_service.schedules.rotation import Rotation


@dataclass(frozen=True, slots=True)
class Override:
    """Somebody who stands in for whoever the layers say, from one instant to another."""

    id: UUID
    user_id: UUID
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Layer:
    """A rotation with its id."""

    id: UUID
    rotation: Rotation


@dataclass(frozen=True, slots=True)
class Roster:
    """A schedule as decisions see it: later layers cover earlier ones."""

    layers: tuple[Layer, ...] = ()
    overrides: tuple[Override, ...] = ()
    name: str = ""

    def people(self) -> set[UUID]:
        """Return everybody who is ever on call."""
        in_turn = {user for layer in self.layers for user in layer.rotation.participants}
        return in_turn | {override.user_id for override in self.overrides}


@dataclass(frozen=True, slots=True)
class Shift:
    """Who is on call from one instant to another, and by which layer or override."""

    user_id: UUID
    starts_at: datetime
    ends_at: datetime
    source_id: UUID


@dataclass(frozen=True, slots=True)
class Gap:
    """A time in which nobody is on call."""

    starts_at: datetime
    ends_at: datetime


def on_call(roster: Roster, instant: datetime) -> tuple[UUID, UUID] | None:
    """Return who is on call at an instant, and by which layer or override; None: nobody."""
    for override in roster.overrides:
        if override.starts_at <= instant < override.ends_at:
            return override.user_id, override.id
    for layer in reversed(roster.layers):
        user_id = layer.rotation.user_at(instant)
        if user_id is not None:
            return user_id, layer.id
    return None


def shifts(roster: Roster, begins: datetime, ends: datetime) -> list[Shift]:
    """Return who is on call between two instants, in order; what is left out is a gap."""
    return join(pieces(roster, begins, ends))


def pieces(roster: Roster, begins: datetime, ends: datetime) -> Iterator[Shift]:
    """Lay the overrides over the layers, and later layers over earlier ones, from end to end."""
    sources = [Source(overriding(roster, begins, ends))]
    for layer in reversed(roster.layers):
        spans = layer.rotation.spans(begins, ends)
        sources.append(Source([Shift(user, start, end, layer.id) for start, end, user in spans]))
    edges = {at for source in sources for at in source.edges()}
    cuts = sorted({begins, *edges, ends})
    for start, end in pairwise(cuts):
        found = next((shift for each in sources if (shift := each.at(start))), None)
        if found is not None:
            yield replace(found, starts_at=start, ends_at=end)


def overriding(roster: Roster, begins: datetime, ends: datetime) -> list[Shift]:
    """Return the overrides between two instants, in order; they never overlap."""
    return [
        Shift(each.user_id, max(each.starts_at, begins), min(each.ends_at, ends), each.id)
        for each in sorted(roster.overrides, key=lambda override: override.starts_at)
        if each.starts_at < ends and each.ends_at > begins
    ]


class Source:
    """What one layer, or all overrides, say; asked about ever later instants."""

    def __init__(self, spans: Sequence[Shift]) -> None:
        self._spans = spans
        self._place = 0

    def edges(self) -> Iterator[datetime]:
        """Go through the instants at which it begins or ceases to say something."""
        for span in self._spans:
            yield span.starts_at
            yield span.ends_at

    def at(self, instant: datetime) -> Shift | None:
        """Return what it says of an instant, which is no earlier than the last one."""
        spans = self._spans
        while self._place < len(spans) and spans[self._place].ends_at <= instant:
            self._place += 1
        here = spans[self._place] if self._place < len(spans) else None
        return here if here is not None and here.starts_at <= instant else None


def join(parts: Iterator[Shift] | Sequence[Shift]) -> list[Shift]:
    """Make one shift of those that meet and are of the same person by the same source."""
    joined: list[Shift] = []
    for part in parts:
        last = joined[-1] if joined else None
        if last and last.ends_at == part.starts_at and of_one(last, part):
            joined[-1] = replace(last, ends_at=part.ends_at)
        else:
            joined.append(part)
    return joined


def of_one(one: Shift, other: Shift) -> bool:
    """Say whether two shifts are of the same person, by the same layer or override."""
    return (one.user_id, one.source_id) == (other.user_id, other.source_id)


def gaps(roster: Roster, begins: datetime, ends: datetime) -> list[Gap]:
    """Return the times between two instants in which nobody is on call."""
    found: list[Gap] = []
    covered_until = begins
    for shift in shifts(roster, begins, ends):
        if shift.starts_at > covered_until:
            found.append(Gap(covered_until, shift.starts_at))
        covered_until = shift.ends_at
    if covered_until < ends:
        found.append(Gap(covered_until, ends))
    return found
