"""Lists, a page at a time: `?limit=&cursor=` → `{"items": […], "next_cursor": …}`."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from incident_service.core.errors import Malformed


class CursorUnreadable(Malformed):
    """The cursor is not one that this service gave out; start again without it."""


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Which part of a list is wanted."""

    limit: int
    after: UUID | None


def page_query(
    limit: Annotated[int, Query(ge=1, le=200, description="Items a page.")] = 50,
    cursor: Annotated[
        str | None, Query(description="`next_cursor` of the page before.", max_length=200)
    ] = None,
) -> PageQuery:
    """Read `limit` and `cursor`."""
    return PageQuery(limit, decode(cursor) if cursor else None)


def encode(last: UUID) -> str:
    """Make the opaque cursor that continues after `last`."""
    return base64.urlsafe_b64encode(last.bytes).decode().rstrip("=")


def decode(cursor: str) -> UUID:
    """Read a cursor.

    Raises:
        CursorUnreadable: it was not made by `encode`.
    """
    try:
        return UUID(bytes=base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error) as error:
        raise CursorUnreadable from error


async def fetch_page(
    session: AsyncSession,
    statement: Select[Any],
    key: InstrumentedAttribute[UUID],
    page: PageQuery,
    *,
    newest_first: bool = False,
) -> tuple[Sequence[Any], str | None]:
    """Return a page ordered by `key` (a UUIDv7, so: by creation) and the cursor of the next."""
    if page.after is not None:
        statement = statement.where(key < page.after if newest_first else key > page.after)
    ordered = statement.order_by(key.desc() if newest_first else key).limit(page.limit + 1)
    rows: list[Any] = list((await session.scalars(ordered)).all())
    more = len(rows) > page.limit
    rows = rows[: page.limit]
    return rows, encode(getattr(rows[-1], key.key)) if more else None
