"""Run migrations: one at a time, with a lock timeout, never two processes at once.

The database is `sqlalchemy.url` when a caller set it, else `INCIDENT_SERVICE_DATABASE_URL`.
"""

import asyncio
from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from incident_service.core.db import ClosedText, Sealed
from incident_service.models import metadata
from incident_service.settings import Settings

# Any number will do as long as every release uses the same.
MIGRATION_LOCK = 4_242_001


def render_item(kind: str, item: object, _context: AutogenContext) -> str | Literal[False]:
    """Write our own column types as what they are in the database: migrations never import us."""
    return "sa.Text()" if kind == "type" and isinstance(item, ClosedText | Sealed) else False


def migrate(connection: Connection) -> None:
    """Run all pending migrations, each in its own transaction."""
    # A migration that waits for a lock makes every request behind it wait as well.
    connection.execute(text("SET lock_timeout = '5s'"))
    connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
    connection.commit()
    try:
        context.configure(
            connection=connection,
            target_metadata=metadata,
            transaction_per_migration=True,
            compare_type=True,
            compare_server_default=True,
            render_item=render_item,
        )
        with context.begin_transaction():
            context.run_migrations()
    finally:
        connection.rollback()
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})
        connection.commit()


async def main(url: str) -> None:
    """Connect and migrate."""
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(migrate)
    finally:
        await engine.dispose()


given = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
else:
    address = context.config.get_main_option("sqlalchemy.url") or Settings().database_url
    if not address:
        raise SystemExit("Set INCIDENT_SERVICE_DATABASE_URL to the database to migrate.")
    asyncio.run(main(address))
