"""Seal what is stored in plain text, or was sealed with an earlier key, while everything runs."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Text, literal, select, type_coerce, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import InstrumentedAttribute

from incident_service.core.db import Transactions, Tx
from incident_service.core.sealing import SealBroken, Sealer

log = structlog.get_logger()


async def reseal(
    transactions: Transactions, sealer: Sealer, columns: Sequence[InstrumentedAttribute[Any]]
) -> tuple[int, int]:
    """Seal every text of the columns with the newest key, each in a transaction of its own.

    Returns how many were sealed, and how many were left: nobody has the key of those, or the same
    text is there already, sealed.
    """
    sealed = left = 0
    for column in columns:
        for row_id, before in await transactions.run(partial(read_stored, column=column)):
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


async def read_stored(tx: Tx, column: InstrumentedAttribute[Any]) -> Sequence[Any]:
    """Return the ids of the rows that have a text, and what is stored."""
    stored = type_coerce(column, Text)
    rows = await tx.session.execute(select(column.class_.id, stored).where(column.is_not(None)))
    return rows.all()


async def put(
    transactions: Transactions,
    column: InstrumentedAttribute[Any],
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
