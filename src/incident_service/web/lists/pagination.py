"""Lists, a page at a time: `?limit=&cursor=` → `{"items": […], "next_cursor": …}`.

A further page is also told of by a `Link` header with `rel="next"`.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote, urlencode
from uuid import UUID

from fastapi import Query, Request, Response
from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from incident_service.web.lists import cursors
from incident_service.web.lists.cursors import CursorUnreadable

MOST = 200
ID = struct.Struct("16s")
NUMBER = struct.Struct(">i")


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Which part of which list is wanted.

    `after` is where the page before ended, None: at the beginning. `tell` is given the cursor of
    the next page.
    """

    limit: int
    list_digest: bytes
    after: bytes | None
    tell: Callable[[str], None]

    def place(self, shape: struct.Struct) -> tuple[Any, ...] | None:
        """Return after what to go on; None: from the beginning.

        Raises:
            CursorUnreadable: the cursor holds something else.
        """
        if self.after is None:
            return None
        try:
            return shape.unpack(self.after)
        except struct.error as error:
            raise CursorUnreadable from error

    def next_after(self, shape: struct.Struct, *place: Any) -> str:  # noqa: ANN401 - as of struct
        """Return the cursor that goes on after a place, and have the answer tell of it."""
        cursor = cursors.encode(self.list_digest, shape.pack(*place))
        self.tell(cursor)
        return cursor


def pages_of(usual: int) -> Callable[..., PageQuery]:
    """Make the dependency that reads `limit` and `cursor`; `usual` is the limit otherwise."""

    def read_page_query(
        request: Request,
        response: Response,
        limit: Annotated[int, Query(ge=1, le=MOST, description="Items a page.")] = usual,
        cursor: Annotated[
            str | None,
            Query(description="`next_cursor` of the page before, with the same sort and filters."),
        ] = None,
    ) -> PageQuery:
        parameters = request.query_params.multi_items()
        digest = cursors.digest_of(request.url.path, parameters)

        def tell(following: str) -> None:
            kept = [(name, value) for name, value in parameters if name != "cursor"]
            query = urlencode([*kept, ("cursor", following)])
            link = f'<{quote(request.url.path)}?{query}>; rel="next"'
            response.headers.append("Link", link)

        after = None if cursor is None else cursors.decode(digest, cursor)
        return PageQuery(limit, digest, after, tell)

    return read_page_query


page_query = pages_of(50)


async def fetch_page(
    session: AsyncSession,
    statement: Select[Any],
    key: InstrumentedAttribute[UUID],
    page: PageQuery,
    *,
    newest_first: bool = False,
) -> tuple[Sequence[Any], str | None]:
    """Return a page ordered by `key` (a UUIDv7, so: by creation) and the cursor of the next."""
    place = page.place(ID)
    if place is not None:
        last = UUID(bytes=place[0])
        statement = statement.where(key < last if newest_first else key > last)
    ordered = statement.order_by(key.desc() if newest_first else key).limit(page.limit + 1)
    rows: list[Any] = list((await session.scalars(ordered)).all())
    more = len(rows) > page.limit
    rows = rows[: page.limit]
    return rows, page.next_after(ID, getattr(rows[-1], key.key).bytes) if more else None


def slice_numbered(
    rows: Sequence[Any], number: str, page: PageQuery
) -> tuple[Sequence[Any], str | None]:
    """Return the page of rows that come one more than wanted, by an attribute that numbers them."""
    shown = rows[: page.limit]
    if len(rows) <= page.limit:
        return shown, None
    return shown, page.next_after(NUMBER, getattr(shown[-1], number))
