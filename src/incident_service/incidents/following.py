"""Read the events of all incidents in the order in which they become final.

An event is final when no transaction older than its own is running: from then on nothing can
appear before it in the order of (`xact`, `position`). `position` alone would not do: it is given
out before the commit, in any order.

That is not yet the order of an incident: a transaction may have begun before another and got the
incident's lock after it. So with an event go all earlier ones of its incident; they are committed,
or it would not be.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Integer,
    Uuid,
    cast,
    column,
    func,
    literal_column,
    select,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from incident_service.incidents.models import Incident, IncidentEvent

HORIZON: ColumnElement[int] = literal_column(
    "pg_snapshot_xmin(pg_current_snapshot())::text::bigint", BigInteger
)
"""The oldest transaction that still runs: all before it have ended, and stay as they are."""


class Numbered(Protocol):
    """An event, as far as its order in its incident goes."""

    @property
    def incident_id(self) -> UUID:
        """Return whose it is."""

    @property
    def sequence(self) -> int:
        """Return its number therein."""


async def find_horizon(session: AsyncSession) -> int:
    """Return the id of the oldest transaction that still runs."""
    found: int = (await session.execute(select(HORIZON))).scalar_one()
    return found


def is_unread(
    xact: InstrumentedAttribute[int] | int, position: InstrumentedAttribute[int] | int
) -> ColumnElement[bool]:
    """Say of an event that it lies behind the cursor (`xact`, `position`)."""
    return tuple_(IncidentEvent.xact, IncidentEvent.position) > tuple_(xact, position)


async def load_up_to(
    session: AsyncSession,
    last: Mapping[UUID, int],
    *conditions: ColumnElement[bool],
    xact: int,
    position: int,
) -> list[tuple[Incident, IncidentEvent]]:
    """Return what these incidents have behind the cursor, each up to its last sequence number.

    Final or not, in the order of `position`. The conditions narrow it.
    """
    ids, numbers = cast(list(last), ARRAY(Uuid())), cast(list(last.values()), ARRAY(Integer()))
    columns = column("incident_id", Uuid()), column("last", Integer())
    wanted = func.unnest(ids, numbers).table_valued(*columns, name="wanted").render_derived()
    rows = await session.execute(
        select(Incident, IncidentEvent)
        .join(IncidentEvent, IncidentEvent.incident_id == Incident.id)
        .join(wanted, wanted.c.incident_id == Incident.id)
        .where(IncidentEvent.sequence <= wanted.c.last, is_unread(xact, position), *conditions)
        .order_by(IncidentEvent.position)
    )
    return [(incident, event) for incident, event in rows]


def last_of(events: Iterable[Numbered]) -> dict[UUID, int]:
    """Return each incident's highest sequence number."""
    last: dict[UUID, int] = {}
    for event in events:
        last[event.incident_id] = max(event.sequence, last.get(event.incident_id, 0))
    return last
