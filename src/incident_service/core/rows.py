"""Read one row, and change some of its columns."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from incident_service.core.db import Base
from incident_service.core.errors import NotFound

Row = TypeVar("Row", bound=Base)


async def get_row(
    session: AsyncSession,
    statement: Select[Row],
    missing: type[NotFound],
    *,
    lock: bool = False,
) -> Row:
    """Return the only row that the statement finds.

    The lock keeps the row from being changed or deleted by others, and lets them go on referring
    to it by its id.

    Raises:
        missing: there is none.
    """
    if lock:
        statement = statement.with_for_update(key_share=True)
        statement = statement.execution_options(populate_existing=True)
    row = (await session.scalars(statement)).one_or_none()
    if row is None:
        raise missing
    return row


async def lock_to_delete(session: AsyncSession, row: Base) -> None:
    """Wait for whoever is about to refer to a row, and let nobody begin to.

    Only then it can be seen what refers to it: `get_row` locks against changes, not against that.
    """
    await session.refresh(row, with_for_update=True)


def change_row(row: Base, changes: Mapping[str, Any], at: datetime) -> None:
    """Set columns by their names, and `updated_at` when one of them gets another value."""
    different = {name: value for name, value in changes.items() if getattr(row, name) != value}
    if not different:
        return
    for name, value in {**different, "updated_at": at}.items():
        setattr(row, name, value)
