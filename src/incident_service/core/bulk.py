"""Insert many rows by one statement: they travel as one JSON document, for PostgreSQL to part.

What SQLAlchemy does for each value of each row costs several times what the row costs.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Row
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase

from incident_service.core.compact_json import dumps

DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


async def insert_rows(
    session: AsyncSession,
    table: type[DeclarativeBase],
    rows: Sequence[Mapping[str, Any]],
    *,
    otherwise: str = "",
) -> Sequence[Row[Any]]:
    """Insert rows in their order; all have the same columns. Return the ids that were inserted.

    `otherwise` may be an `ON CONFLICT` clause. Columns that are sealed cannot be inserted so, and
    nothing that people configure: the audit log would not hear of it.
    """
    assert getattr(table, "audited", None) is None, table.__tablename__
    if not rows:
        return []
    connection = await session.connection()
    statement = insert_statement(table, tuple(rows[0]), otherwise)
    return (await connection.exec_driver_sql(statement, (dumps(rows),))).all()


@cache
def insert_statement(table: type[DeclarativeBase], names: tuple[str, ...], otherwise: str) -> str:
    """Return the statement; its only parameter is the list of rows."""
    columns = table.__table__.columns
    typed = ", ".join(f"{name} {columns[name].type.compile(DIALECT)}" for name in names)
    key = ", ".join(column.name for column in table.__table__.primary_key)
    listed = ", ".join(names)
    source = f"SELECT {listed} FROM jsonb_to_recordset($1::jsonb) AS rows ({typed})"  # noqa: S608 - names of our own models
    return f"INSERT INTO {table.__tablename__} ({listed}) {source} {otherwise} RETURNING {key}"
