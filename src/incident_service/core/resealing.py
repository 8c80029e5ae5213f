"""Seal what is stored in plain text, or was sealed with an earlier key."""

from collections.abc import Sequence
from typing import Any

import structlog
from sqlalchemy import Text, literal, select, type_coerce, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import InstrumentedAttribute

from incident_service.core.db import Tx
from incident_service.core.sealing import Sealer

log = structlog.get_logger()


async def reseal(tx: Tx, sealer: Sealer, columns: Sequence[InstrumentedAttribute[Any]]) -> int:
    """Seal every text of the columns with the newest key; return how many were not."""
    count = 0
    for column in columns:
        model = column.class_
        stored = type_coerce(column, Text)
        rows = await tx.session.execute(select(model.id, stored).where(column.is_not(None)))
        for row_id, before in rows.all():
            after = sealer.seal(sealer.open(before))
            if after != before:
                count += await put(tx, model, row_id, column.key, after)
    return count


async def put(tx: Tx, model: Any, row_id: Any, name: str, text: str) -> bool:  # noqa: ANN401 - a table's row
    """Store a sealed text as it is; where it is there already the other row stays as it was."""
    try:
        async with tx.session.begin_nested():
            await tx.session.execute(
                update(model)
                .where(model.id == row_id)
                .values({name: type_coerce(literal(text), Text)})
                .execution_options(synchronize_session=False)
            )
    except IntegrityError:
        log.warning("sealing.skipped", table=model.__tablename__, id=str(row_id))
        return False
    return True
