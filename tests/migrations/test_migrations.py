"""The schema: reversible, complete, aware of time zones."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from tests.conftest import alembic_config, execute, run_migrations

from incident_service.embedded import EmbeddedPostgres

# The oldest PostgreSQL that is supported, and the newest; "embedded" is what the tests run on.
INSTALLED = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
SERVERS = {"embedded": None} | {path.parts[-3]: path.parent for path in INSTALLED}


@pytest.fixture(params=SERVERS)
async def fresh(
    request: pytest.FixtureRequest, run_directory: Path, worker_id: str
) -> AsyncIterator[str]:
    """An empty database, on the embedded PostgreSQL and on each installed one."""
    programs = SERVERS[request.param]
    directory = run_directory / (f"pg-{request.param}" if programs else "pg")
    server = EmbeddedPostgres(directory, durable=False, programs=programs)
    name = f"migrations_{worker_id}"
    with server:
        await execute(server.url, f"CREATE DATABASE {name}")
        yield server.database_url(name)
        await execute(server.url, f"DROP DATABASE {name} WITH (FORCE)")


async def ask(url: str, question: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        rows: list[asyncpg.Record] = await connection.fetch(question)
    finally:
        await connection.close()
    return rows


TABLES = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1"


async def test_the_schema_goes_up_down_to_nothing_and_up_again(fresh):
    await run_migrations(fresh)
    first = await ask(fresh, TABLES)
    await run_migrations(fresh, "base")
    nothing = await ask(fresh, TABLES)
    await run_migrations(fresh)
    second = await ask(fresh, TABLES)

    assert [row[0] for row in nothing] == ["alembic_version", "alembic_version_pkc"]
    assert first == second


def test_there_is_one_head():
    script = ScriptDirectory.from_config(alembic_config("postgresql+asyncpg://"))

    assert len(script.get_heads()) == 1


async def test_the_models_say_what_the_schema_says(fresh):
    await run_migrations(fresh)

    await asyncio.to_thread(command.check, alembic_config(fresh))


async def test_every_instant_has_a_time_zone(database_url):
    naive = await ask(
        database_url,
        """SELECT table_name, column_name FROM information_schema.columns
           WHERE table_schema = 'public'
             AND data_type IN ('timestamp without time zone', 'date')""",
    )
    aware = await ask(
        database_url,
        """SELECT 1 FROM information_schema.columns
           WHERE table_schema = 'public' AND data_type = 'timestamp with time zone'""",
    )

    assert naive == []
    assert len(aware) > 40


async def test_every_foreign_key_that_is_deleted_through_has_an_index(database_url):
    missing = await ask(
        database_url,
        """SELECT c.conrelid::regclass::text, a.attname
           FROM pg_constraint c
           JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
           WHERE c.contype = 'f' AND c.confdeltype = 'c'
             AND NOT EXISTS (SELECT 1 FROM pg_index i
                             WHERE i.indrelid = c.conrelid AND i.indkey[0] = c.conkey[1])""",
    )

    assert [tuple(row) for row in missing] == []


ADD_CHANNELS, BEFORE_CHANNELS = "0008", "0007"
METHOD = """INSERT INTO contact_methods
            (id, kind, address, bundle, is_enabled, created_at, updated_at)
            VALUES (gen_random_uuid(), '{kind}', 'somewhere', true, true, now(), now())"""


async def test_taking_the_new_channels_back_takes_their_contact_methods_too(fresh):
    await run_migrations(fresh, ADD_CHANNELS)
    for kind in ("ntfy", "slack", "sms"):
        await ask(fresh, METHOD.format(kind=kind))

    await asyncio.to_thread(command.downgrade, alembic_config(fresh), BEFORE_CHANNELS)

    kept = await ask(fresh, "SELECT kind FROM contact_methods")
    assert [row["kind"] for row in kept] == ["ntfy"]
    with pytest.raises(asyncpg.CheckViolationError):
        await ask(fresh, METHOD.format(kind="sms"))
