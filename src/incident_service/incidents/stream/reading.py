"""Read on in the log of events: a page for all streams that are at the same place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, literal_column, select
from sqlalchemy.ext.asyncio import AsyncSession

from incident_service.core.db import Tx
from incident_service.incidents import following
from incident_service.incidents.models import Incident, IncidentEvent
from incident_service.incidents.stream import progress
from incident_service.incidents.stream.cursor import Place
from incident_service.incidents.stream.progress import Entry, Progress
from incident_service.incidents.stream.writing import write

# What the service writes is committed long before: a transaction is given up after
# TRANSACTION_SECONDS, and PostgreSQL ends one that is idle for 15 s. Somebody else's may run for
# hours, but writes no events.
SETTLED_AFTER = timedelta(minutes=1)
NEWEST: ColumnElement[int] = literal_column(
    "pg_snapshot_xmax(pg_current_snapshot())::text::bigint", BigInteger
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events a stream tells; an empty field does not narrow them. `team_ids` None: all."""

    team_ids: frozenset[UUID] | None = None
    service_id: UUID | None = None
    incident_id: UUID | None = None
    kinds: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Change:
    """An event with its incident as it stands now."""

    incident: Incident
    event: IncidentEvent

    @cached_property
    def text(self) -> str:
        """Its data, written once for all who hear it."""
        return write(self.incident, self.event)


@dataclass(frozen=True, slots=True)
class Page:
    """What lies next behind a place, for everybody who is there; `found` is what may be told."""

    at: datetime
    window: Sequence[Entry]
    found: Mapping[Place, Change]


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be told and from where to resume after it, how far the stream is then, and
    whether there may be more at once.
    """

    changes: Sequence[tuple[Change, Place]]
    progress: Progress
    is_more: bool


async def find_newest_xact(session: AsyncSession) -> int:
    """Return the transaction that comes next: no event has a later one."""
    found: int = (await session.execute(select(NEWEST))).scalar_one()
    return found


async def begin(tx: Tx, settled_after: timedelta = SETTLED_AFTER) -> Progress:
    """Return the progress of who has seen all that is committed by now."""
    horizon = Place(await following.find_horizon(tx.session), 0)
    settled = await tx.session.execute(
        select(IncidentEvent.xact, IncidentEvent.position)
        .where(IncidentEvent.at < tx.now - settled_after)
        .order_by(IncidentEvent.xact.desc(), IncidentEvent.position.desc())
        .limit(1)
    )
    behind = max([horizon, *(Place(*row) for row in settled)])
    return await skip(tx, Progress(behind), settled_after)


async def skip(tx: Tx, reached: Progress, settled_after: timedelta) -> Progress:
    """Take all that is committed behind the cursor as seen, as much as is remembered."""
    while True:
        window = await find_window(tx, reached, settled_after)
        _, after = progress.go_on(reached, window, ())
        if after == reached:
            return reached
        reached = after


async def read_page(tx: Tx, reached: Progress, settled_after: timedelta = SETTLED_AFTER) -> Page:
    """Read a page at most, and what belongs before it."""
    window = await find_window(tx, reached, settled_after)
    found = await load(tx.session, progress.unseen(reached, window), reached)
    return Page(tx.now, window, found)


def step(reached: Progress, page: Page, wanted: Wanted) -> Step:
    """Decide what a stream tells of a page that begins where it is."""
    mine = [
        entry_of(place, change) for place, change in page.found.items() if is_wanted(change, wanted)
    ]
    told, after = progress.go_on(reached, page.window, mine)
    changes = [(page.found[each.place], each.resume) for each in told]
    is_more = len(page.window) == progress.window_size(reached) and after != reached
    return Step(changes, after, is_more)


async def find_window(tx: Tx, reached: Progress, settled_after: timedelta) -> list[Entry]:
    """Return the entries next behind the cursor.

    The horizon is that of the snapshot that finds them: before a settled one nothing is missing.
    """
    is_settled = (IncidentEvent.xact < following.HORIZON) | (
        IncidentEvent.at < tx.now - settled_after
    )
    rows = await tx.session.execute(
        select(
            IncidentEvent.xact,
            IncidentEvent.position,
            IncidentEvent.incident_id,
            IncidentEvent.sequence,
            is_settled,
        )
        .where(following.is_unread(reached.behind.xact, reached.behind.position))
        .order_by(IncidentEvent.xact, IncidentEvent.position)
        .limit(progress.window_size(reached))
    )
    return [
        Entry(Place(xact, position), incident_id, sequence, settled)
        for xact, position, incident_id, sequence, settled in rows
    ]


async def load(
    session: AsyncSession, new: Sequence[Entry], reached: Progress
) -> Mapping[Place, Change]:
    """Load the new entries' incidents and their events, each up to its last new entry."""
    if not new:
        return {}
    behind = reached.behind
    found = await following.load_up_to(
        session, following.last_of(new), xact=behind.xact, position=behind.position
    )
    return {Place(event.xact, event.position): Change(incident, event) for incident, event in found}


def is_wanted(change: Change, wanted: Wanted) -> bool:
    """Say whether a stream tells it. Whose team counts is the incident's present one."""
    incident = change.incident
    return (
        (wanted.team_ids is None or incident.team_id in wanted.team_ids)
        and wanted.service_id in (None, incident.service_id)
        and wanted.incident_id in (None, incident.id)
        and (not wanted.kinds or change.event.kind in wanted.kinds)
    )


def entry_of(place: Place, change: Change) -> Entry:
    """Describe an event that was loaded."""
    return Entry(place, change.event.incident_id, change.event.sequence)
