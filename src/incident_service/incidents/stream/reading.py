"""Read on in the log of events: one step of a stream, in one short transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, literal_column, select
from sqlalchemy.ext.asyncio import AsyncSession

from incident_service.core.db import Tx
from incident_service.incidents import following
from incident_service.incidents.models import Incident, IncidentEvent
from incident_service.incidents.stream import progress
from incident_service.incidents.stream.cursor import Place
from incident_service.incidents.stream.progress import Entry, Progress

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


@dataclass(frozen=True, slots=True)
class Change:
    """An event with its incident as it stands now, and the place to resume from after it."""

    incident: Incident
    event: IncidentEvent
    resume: Place


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be told, how far the stream is then, and whether there may be more at once."""

    changes: Sequence[Change]
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


async def read_on(
    tx: Tx, reached: Progress, wanted: Wanted, settled_after: timedelta = SETTLED_AFTER
) -> Step:
    """Return the next step of a stream, a page at most and what belongs before it."""
    window = await find_window(tx, reached, settled_after)
    found = await load(tx.session, progress.unseen(reached, window), reached, wanted)
    told, after = progress.go_on(reached, window, map(entry_of, found.values()))
    changes = [Change(*found[each.place], each.resume) for each in told]
    is_more = len(window) == progress.window_size(reached) and after != reached
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
    session: AsyncSession, new: Sequence[Entry], reached: Progress, wanted: Wanted
) -> Mapping[Place, tuple[Incident, IncidentEvent]]:
    """Load what is wanted of the new entries' incidents, each up to its last new entry."""
    if not new:
        return {}
    last, behind = following.last_of(new), reached.behind
    found = await following.load_up_to(
        session, last, *conditions_of(wanted), xact=behind.xact, position=behind.position
    )
    return {Place(event.xact, event.position): (incident, event) for incident, event in found}


def conditions_of(wanted: Wanted) -> list[ColumnElement[bool]]:
    """Say in SQL which events are wanted. Whose team counts is the incident's present one."""
    conditions: list[ColumnElement[bool]] = []
    if wanted.team_ids is not None:
        conditions.append(Incident.team_id.in_(wanted.team_ids))
    if wanted.service_id:
        conditions.append(Incident.service_id == wanted.service_id)
    if wanted.incident_id:
        conditions.append(Incident.id == wanted.incident_id)
    if wanted.kinds:
        conditions.append(IncidentEvent.kind.in_(wanted.kinds))
    return conditions


def entry_of(found: tuple[Incident, IncidentEvent]) -> Entry:
    """Describe an event that was loaded."""
    _, event = found
    return Entry(Place(event.xact, event.position), event.incident_id, event.sequence)
