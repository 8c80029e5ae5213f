"""What many tests begin with: made once in each process, and put back for all later tests."""

import pickle
from collections.abc import Awaitable, Callable, Hashable
from typing import TypeVar

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from incident_service.models import metadata

Cast = TypeVar("Cast")
TABLES = [table.name for table in metadata.sorted_tables]
ROWS = " UNION ALL ".join(
    f"SELECT '{name}' AS name, quote_literal({name}::text) AS row FROM {name}" for name in TABLES
)


def as_replica(statements: list[str]) -> str:
    """Return one transaction of statements that fires no triggers.

    The audit log's would refuse to let its rows go; what is put back was checked when it was made.
    """
    script = "; ".join(statements)
    return f"BEGIN; SET LOCAL session_replication_role = replica; {script}; COMMIT"


async def run_script(engine: AsyncEngine, script: str) -> None:
    """Run several statements in one round trip."""
    async with engine.connect() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        await driver.execute(script)


class Kept:
    """Remembers what was made, and the rows that it consists of."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._made: dict[Hashable, tuple[bytes, str]] = {}

    async def once(self, key: Hashable, make: Callable[[], Awaitable[Cast]]) -> Cast:
        """Return what `make` returns, with its rows in the database.

        `key` names it, together with all that it depends on: with the same key it is not made
        again. Everybody has a copy of their own.
        """
        if key in self._made:
            pickled, inserts = self._made[key]
            await run_script(self._engine, inserts)
            cast: Cast = pickle.loads(pickled)
            return cast
        before = await self._rows()
        made = await make()
        new = [row for row in await self._rows() if row not in before]
        self._made[key] = pickle.dumps(made), as_replica(inserts_of(new))
        return made

    async def _rows(self) -> list[tuple[str, str]]:
        async with self._engine.connect() as connection:
            return [(name, row) for name, row in await connection.execute(text(ROWS))]


def inserts_of(rows: list[tuple[str, str]]) -> list[str]:
    """Return statements that insert rows, each of them a literal of its table's own type."""
    found = {name: [row for of, row in rows if of == name] for name in TABLES}
    return [
        f"INSERT INTO {name} OVERRIDING SYSTEM VALUE"
        f" SELECT * FROM unnest(ARRAY[{','.join(literals)}]::{name}[])"
        for name, literals in found.items()
        if literals
    ]
