"""Long lists that are sorted and narrowed: a cursor says after which row the next page begins.

So rows that are added meanwhile neither shift a page nor come twice.
"""

import asyncio
import struct
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from incident_service.core.clock import monotonic_s
from incident_service.core.db import Base
from incident_service.web.lists.cursors import CursorUnreadable
from incident_service.web.lists.pagination import PageQuery

SHAPE = struct.Struct(">hq16s")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
MOST_SCANNED = 1_000
"""Rows that one page looks at, at most, when Python has to decide which of them are wanted."""

PATIENCE_S = 1.0
# One at a time, beside the event loop: some regular expressions take long, and pages must not wait.
DECIDING = ThreadPoolExecutor(1, "deciding")
Keep = Callable[[Row[Any]], bool]


@dataclass(frozen=True, slots=True)
class Order:
    """A sort: by an urgency, if any, then by an instant, then by the id. None of them is NULL."""

    name: str
    at: ColumnElement[datetime] | InstrumentedAttribute[datetime]
    id: ColumnElement[UUID] | InstrumentedAttribute[UUID]
    rank: ColumnElement[int] | None = None
    newest_first: bool = False

    @property
    def columns(self) -> list[ColumnElement[Any] | InstrumentedAttribute[Any]]:
        """Return what it sorts by, first to last."""
        return [column for column in (self.rank, self.at, self.id) if column is not None]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands in its list."""

    rank: int
    at: datetime
    id: UUID


def read_place(page: PageQuery) -> Place | None:
    """Return after which row to go on; None: from the beginning.

    Raises:
        CursorUnreadable: the cursor holds no place of such a list.
    """
    place = page.place(SHAPE)
    if place is None:
        return None
    rank, microseconds, id_ = place
    try:
        return Place(rank, EPOCH + microseconds * MICROSECOND, UUID(bytes=id_))
    except OverflowError as error:
        raise CursorUnreadable from error


def next_after(page: PageQuery, place: Place) -> str:
    """Return the cursor that goes on after a place."""
    microseconds = (place.at - EPOCH) // MICROSECOND
    return page.next_after(SHAPE, place.rank, microseconds, place.id.bytes)


async def fetch_sorted(
    session: AsyncSession,
    table: type[Base],
    order: Order,
    conditions: Sequence[ColumnElement[bool]],
    page: PageQuery,
    *,
    keep: Keep | None = None,
    looked_at: Sequence[ColumnElement[Any]] = (),
) -> tuple[list[Any], str | None]:
    """Return a page of a table's rows that meet the conditions, and the cursor of the next.

    `keep` decides what SQL cannot, on the columns of `looked_at`. A page then looks at
    `MOST_SCANNED` rows at most, and no longer than `PATIENCE_S`: it may have fewer rows than
    wanted, or none, and still a cursor.
    """
    after = read_place(page)
    if keep is None:
        statement = select(table, *order.columns).where(*conditions)
        found = await read(session, statement, order, after, page.limit + 1)
        rows = [row[0] for row in found[: page.limit]]
        more = len(found) > page.limit
        return rows, next_after(page, place_of(found[page.limit - 1][1:])) if more else None
    statement = select(*looked_at, *order.columns).where(*conditions)
    kept, last = await scan(session, statement, order, after, page.limit, keep)
    rows = await load(session, table, order, [place.id for place in kept])
    return rows, next_after(page, last) if last else None


async def scan(
    session: AsyncSession,
    statement: Select[Any],
    order: Order,
    after: Place | None,
    limit: int,
    keep: Keep,
) -> tuple[list[Place], Place | None]:
    """Return the places of the first rows that are kept, and where to go on; None: at the end."""
    rows = await read(session, statement, order, after, MOST_SCANNED)
    width = len(order.columns)
    loop = asyncio.get_running_loop()
    decided = await loop.run_in_executor(DECIDING, decide, rows, keep, monotonic_s() + PATIENCE_S)
    kept = [place_of(row[-width:]) for row, is_kept in zip(rows, decided, strict=False) if is_kept]
    if len(kept) > limit:
        return kept[:limit], kept[limit - 1]
    is_end = len(decided) == len(rows) < MOST_SCANNED
    return kept, None if is_end else place_of(rows[len(decided) - 1][-width:])


def decide(rows: Sequence[Row[Any]], keep: Keep, until_s: float) -> list[bool]:
    """Decide on the first row, and on more until it is time."""
    decided: list[bool] = []
    for row in rows:
        decided.append(keep(row))
        if monotonic_s() > until_s:
            break
    return decided


async def read(
    session: AsyncSession, statement: Select[Any], order: Order, after: Place | None, limit: int
) -> Sequence[Row[Any]]:
    """Return the rows after a place."""
    if after is not None:
        key = tuple_(*order.columns)
        values = (after.at, after.id) if order.rank is None else (after.rank, after.at, after.id)
        statement = statement.where(key < values if order.newest_first else key > values)
    by = [column.desc() if order.newest_first else column for column in order.columns]
    rows: Sequence[Row[Any]] = (await session.execute(statement.order_by(*by).limit(limit))).all()
    return rows


async def load(
    session: AsyncSession, table: type[Base], order: Order, ids: Sequence[UUID]
) -> list[Any]:
    """Return the rows of these ids, in the order of the ids; what is gone meanwhile is left out."""
    if not ids:
        return []
    rows = await session.scalars(select(table).where(order.id.in_(ids)))
    by_id = {getattr(row, "id"): row for row in rows}  # noqa: B009 - every such table has one
    return [by_id[id_] for id_ in ids if id_ in by_id]


def place_of(columns: Sequence[Any]) -> Place:
    """Read a place off the columns of its order."""
    *rank, at, id_ = columns
    return Place(rank[0] if rank else 0, at, id_)
