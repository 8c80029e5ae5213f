"""What state a database is in that is backed up or restored."""

import asyncio
from dataclasses import dataclass

from sqlalchemy import text

from incident_service.cli.failing import CannotRun
from incident_service.cli.migrating import described
from incident_service.core.db import DATABASE_AWAY, SERVER_SETTINGS, make_engine

STATE = text("""
    SELECT current_setting('server_version_num')::int / 10000 AS major,
           (SELECT count(*) FROM pg_class
            WHERE relnamespace = to_regnamespace('public') AND relkind IN ('r', 'p')) AS tables,
           to_regclass('public.alembic_version') IS NOT NULL AS is_ours,
           (SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND application_name = :name
              AND pid <> pg_backend_pid()) AS connections
""")


@dataclass(frozen=True, slots=True)
class State:
    """The server's major version, how many tables there are, and who is connected.

    `is_ours` says that the service's migrations have run there. `connections` are those of APIs,
    workers and `dev`.
    """

    major: int
    tables: int
    is_ours: bool
    connections: int


def look_at(url: str) -> State:
    """Look at a database, from outside any event loop.

    Raises:
        CannotRun: it cannot be reached.
    """
    try:
        return asyncio.run(state_of(url))
    except DATABASE_AWAY as error:
        raise CannotRun(f"The database cannot be reached: {described(error)}") from error


async def state_of(url: str) -> State:
    """Look at a database."""
    engine = make_engine(url, pool_size=1)
    try:
        async with engine.connect() as connection:
            name = SERVER_SETTINGS["application_name"]
            row = (await connection.execute(STATE, {"name": name})).one()
            return State(*row)
    finally:
        await engine.dispose()
