"""Seal what is stored in plain text, or was sealed with an earlier key, while everything runs."""

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import structlog
from sqlalchemy import Text, literal, select, type_coerce, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from incident_service.core.db import Transactions, Tx
from incident_service.core.sealing import SealBroken, Sealer, is_sealed

log = structlog.get_logger()
Column = InstrumentedAttribute[Any]


class Stored(StrEnum):
    """How a text is stored; `unopened`: none of the keys opens it."""

    PLAIN = "plain"
    SEALED = "sealed"
    SEALED_EARLIER = "sealed with an earlier key"
    UNOPENED = "unopened"


async def survey(
    session: AsyncSession, sealer: Sealer, columns: Sequence[Column]
) -> dict[Stored, Counter[str]]:
    """Count how the texts of the columns are stored, by `table.column`; empty ones are none."""
    found: dict[Stored, Counter[str]] = {each: Counter() for each in Stored}
    for column in columns:
        name = f"{column.class_.__tablename__}.{column.key}"
        for _, stored in await read_stored(session, column):
            if stored:
                found[how_stored(sealer, stored)][name] += 1
    return found


def how_stored(sealer: Sealer, stored: str) -> Stored:
    """Say how a text is stored."""
    if not is_sealed(stored):
        return Stored.PLAIN
    try:
        is_newest = sealer.seal(sealer.open(stored)) == stored
    except SealBroken:
        return Stored.UNOPENED
    return Stored.SEALED if is_newest else Stored.SEALED_EARLIER


async def reseal(
    transactions: Transactions, sealer: Sealer, columns: Sequence[Column]
) -> tuple[int, int]:
    """Seal every text of the columns with the newest key, each in a transaction of its own.

    Returns how many were sealed, and how many were left: nobody has the key of those, or the same
    text is there already, sealed.
    """
    sealed = left = 0
    for column in columns:
        async with transactions.open() as tx:
            stored = await read_stored(tx.session, column)
        for row_id, before in stored:
            try:
                after = sealer.seal(sealer.open(before))
            except SealBroken:
                left += 1
                continue
            if after == before:
                continue
            done = await put(transactions, column, row_id, before, after)
            sealed, left = sealed + done, left + (not done)
    return sealed, left


async def read_stored(session: AsyncSession, column: Column) -> Sequence[Any]:
    """Return the ids of the rows that have a text, and what is stored."""
    stored = type_coerce(column, Text)
    rows = await session.execute(select(column.class_.id, stored).where(column.is_not(None)))
    return rows.all()


async def put(
    transactions: Transactions,
    column: Column,
    row_id: Any,  # noqa: ANN401 - an id
    before: str,
    after: str,
) -> bool:
    """Store a sealed text in the place of what was read, unless somebody has changed it since."""
    model = column.class_

    async def write(tx: Tx) -> None:
        await tx.session.execute(
            update(model)
            .where(model.id == row_id, type_coerce(column, Text) == literal(before, Text))
            .values({column.key: type_coerce(literal(after), Text)})
            .execution_options(synchronize_session=False)
        )

    try:
        await transactions.run(write)
    except IntegrityError:
        log.warning("sealing.skipped", table=model.__tablename__, id=str(row_id))
        return False
    return True
