"""Who is on call: layers over layers, and overrides over all. Pure.

The API, the preview, the calendar and the climb all ask here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
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
    """Cut the time wherever something may change, and ask who is on call in each piece."""
    cuts = sorted({begins, *changes(roster, begins, ends)})
    for start, end in zip(cuts, [*cuts[1:], ends], strict=True):
        found = on_call(roster, start)
        if found is not None and start < end:
            yield Shift(found[0], start, end, found[1])


def changes(roster: Roster, begins: datetime, ends: datetime) -> Iterator[datetime]:
    """Go through the instants strictly between two at which something may change."""
    for layer in roster.layers:
        yield from (at for at in layer.rotation.changes(begins, ends) if begins < at < ends)
    for override in roster.overrides:
        edges = override.starts_at, override.ends_at
        yield from (at for at in edges if begins < at < ends)


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
