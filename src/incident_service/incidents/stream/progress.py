"""Decide what a stream tells next, and from where it is resumed after each event. Pure.

Events are told as soon as they are committed. The cursor follows later: it passes an event only
when that and all before it are settled, so that none can appear behind it any more. What was told
beyond the cursor is remembered here, so that one connection is told it once; who resumes there
is told it again.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from incident_service.incidents.stream.cursor import Place

PAGE = 100
MOST_SEEN = 2_000
"""Events beyond the cursor that a stream remembers; more wait until the cursor moves."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An event of the log: where, of which incident, and whether it is settled."""

    place: Place
    incident_id: UUID
    sequence: int
    is_settled: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a stream is: all up to `behind`, and what it has `seen` beyond."""

    behind: Place
    seen: frozenset[Place] = frozenset()


@dataclass(frozen=True, slots=True)
class Telling:
    """An event to tell, and the place from which to resume once it is told."""

    place: Place
    resume: Place


def window_size(progress: Progress) -> int:
    """Return how many entries to look at: a page of new ones, as far as memory goes."""
    return min(PAGE + len(progress.seen), MOST_SEEN)


def unseen(progress: Progress, window: Iterable[Entry]) -> list[Entry]:
    """Return what is new of the entries behind the cursor."""
    return [entry for entry in window if entry.place not in progress.seen]


def go_on(
    progress: Progress, window: Sequence[Entry], wanted: Iterable[Entry]
) -> tuple[list[Telling], Progress]:
    """Return what to tell, in order for each incident, and how far the stream is then.

    `window` are the entries next behind the cursor, in order. `wanted` are those that the reader
    wants of their incidents, up to the highest sequence in the window: an incident's earlier event
    may lie beyond the window.
    """
    waiting: dict[UUID, list[Entry]] = defaultdict(list)
    for entry in sorted(unseen(progress, wanted), key=lambda each: each.sequence, reverse=True):
        waiting[entry.incident_id].append(entry)
    told: list[Telling] = []
    seen = set(progress.seen)
    behind, is_settled = progress.behind, True
    for entry in window:
        due: list[Place] = []
        while waiting[entry.incident_id] and is_up_to(entry, waiting[entry.incident_id][-1]):
            due.append(waiting[entry.incident_id].pop().place)
        told += [Telling(place, behind) for place in due[:-1]]
        is_settled = is_settled and entry.is_settled
        if is_settled:
            behind = entry.place
        told += [Telling(place, behind) for place in due[-1:]]
        seen.update(due, [entry.place])
    return told, Progress(behind, frozenset(place for place in seen if place > behind))


def is_up_to(entry: Entry, other: Entry) -> bool:
    """Say whether the other one is not later in their incident."""
    return other.sequence <= entry.sequence
