"""`backup` and `restore`: what they say, what they refuse, what they leave alone."""

import asyncio
import os
import stat
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.conftest import execute, run_migrations
from tests.migrations.test_migrations import SERVERS, ask
from tests.operations.conftest import start_migrated

from incident_service.cli.backup.clients import environment
from incident_service.core.db import make_engine
from incident_service.embedded import EmbeddedPostgres

pytestmark = pytest.mark.faults

TEAMS = "SELECT name FROM teams ORDER BY 1"
TABLES = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1"


@pytest.fixture
async def dump(shell, database_url, stage) -> Path:
    """A backup of this test's database, in which there is a team."""
    code, said = await shell.run("backup", "kept.dump", database_url=database_url)
    assert code == 0, said
    return Path(shell.home, "kept.dump")


async def test_a_backup_says_what_it_holds(shell, database_url, stage):
    code, said = await shell.run("backup", database_url=database_url)

    (written,) = shell.home.glob("*.dump")
    assert code == 0
    assert str(written) in said
    assert "0 incidents, 0 alerts, 1 teams, 3 users" in said
    assert stat.S_IMODE(written.stat().st_mode) == 0o600


async def test_a_backup_never_takes_the_place_of_another(shell, dump, database_url):
    before = dump.read_bytes()

    code, said = await shell.run("backup", dump, database_url=database_url)

    assert (code, dump.read_bytes()) == (1, before)
    assert "exists already" in said


async def test_a_backup_that_fails_leaves_nothing_behind(shell, new_database):
    await run_migrations(new_database)
    await execute(new_database.replace("+asyncpg", ""), "CREATE ROLE nobody_here LOGIN")
    stranger = new_database.replace("postgres@", "nobody_here@")

    code, said = await shell.run("backup", database_url=stranger)
    await execute(new_database.replace("+asyncpg", ""), "DROP ROLE nobody_here")

    assert code == 1
    assert "permission denied" in said
    assert [path.name for path in shell.home.iterdir()] == []


async def test_a_database_of_something_else_is_no_backup(shell, new_database):
    code, said = await shell.run("backup", database_url=new_database)

    assert code == 1
    assert "holds no tables of the incident service" in said


async def test_a_data_directory_that_is_missing_is_not_made_by_a_backup(shell, data_dir):
    code, said = await shell.run("backup", data_dir=data_dir)

    assert code == 1
    assert str(data_dir) in said
    assert not data_dir.exists()


async def test_a_data_directory_is_backed_up_when_no_server_runs(shell, data_dir):
    server = await start_migrated(data_dir)
    await asyncio.to_thread(server.stop)

    code, said = await shell.run("backup", data_dir=data_dir)

    assert code == 0, said
    assert not (data_dir / "pgdata" / "postmaster.pid").exists()


async def test_a_dump_fills_an_empty_database(shell, dump, database_url, new_database):
    code, said = await shell.run("restore", dump, database_url=new_database)

    assert code == 0, said
    assert await ask(new_database, TABLES) == await ask(database_url, TABLES)
    assert [row[0] for row in await ask(new_database, TEAMS)] == ["Payments"]


async def test_a_reader_of_events_goes_on_where_it_was_under_another_servers_numbers(
    shell, stage, database_url, new_database
):
    await stage.fire("Read")
    await execute(
        database_url,
        """INSERT INTO webhook_subscriptions (id, name, url, kinds, secret, is_enabled, failures,
               read_xact, read_position, created_at, updated_at)
           SELECT gen_random_uuid(), 'Bot', 'https://bot.example', '[]', 'whsec_', true, 0,
               max(xact), max(position), now(), now() FROM incident_events""",
    )
    await stage.fire("Unread")
    await execute(  # as on a server that has seen far more transactions than the next one
        database_url,
        "UPDATE incident_events SET xact = xact + 1000000000",
        "UPDATE webhook_subscriptions SET read_xact = read_xact + 1000000000",
    )
    await shell.run("backup", "far.dump", database_url=database_url)

    code, said = await shell.run("restore", "far.dump", database_url=new_database)

    titles = await ask(
        new_database,
        """SELECT DISTINCT title FROM webhook_subscriptions
           JOIN incident_events ON (xact, position) > (read_xact, read_position)
           JOIN incidents ON incidents.id = incident_id
           WHERE xact < pg_snapshot_xmin(pg_current_snapshot())::text::bigint""",
    )
    assert code == 0, said
    assert [row[0] for row in titles] == ["Unread is on fire"]


async def test_a_database_that_is_not_empty_is_left_alone(shell, dump, new_database):
    await run_migrations(new_database)

    code, said = await shell.run("restore", dump, database_url=new_database)

    assert code == 1
    assert "--replace" in said
    assert await ask(new_database, TEAMS) == []


async def test_replace_drops_what_is_there(shell, dump, new_database):
    await run_migrations(new_database)
    await execute(new_database, "CREATE TABLE of_a_later_release (id uuid REFERENCES teams)")

    code, said = await shell.run("restore", dump, "--replace", database_url=new_database)

    assert code == 0, said
    assert [row[0] for row in await ask(new_database, TEAMS)] == ["Payments"]
    assert "of_a_later_release" not in [row[0] for row in await ask(new_database, TABLES)]


async def test_tables_of_something_else_are_never_dropped(shell, dump, new_database):
    await execute(new_database, "CREATE TABLE precious (id uuid)")

    code, said = await shell.run("restore", dump, "--replace", database_url=new_database)

    assert code == 1
    assert "not the incident service's" in said
    assert [row[0] for row in await ask(new_database, TABLES)] == ["precious"]


async def test_nothing_is_restored_under_the_feet_of_an_api(shell, dump, new_database):
    engine = make_engine(new_database)
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
        await connection.rollback()

        refused = await shell.run("restore", dump, database_url=new_database)
        forced = await shell.run("restore", dump, "--force", database_url=new_database)
    await engine.dispose()

    assert (refused[0], forced[0]) == (1, 0)
    assert "Stop them first" in refused[1]


async def test_what_is_no_dump_is_refused_in_words(shell, new_database):
    (shell.home / "notes.txt").write_text("nothing of that kind")

    code, said = await shell.run("restore", "notes.txt", database_url=new_database)

    assert code == 1
    assert "notes.txt is not a dump that can be restored" in said
    assert "Traceback" not in said


async def test_a_dump_that_breaks_off_changes_nothing(shell, dump, new_database):
    whole = dump.read_bytes()
    dump.write_bytes(whole[: len(whole) - 200])

    code, _ = await shell.run("restore", dump, database_url=new_database)

    assert code == 1
    assert await ask(new_database, TABLES) == []


async def test_a_restore_that_fails_midway_changes_nothing(shell, dump, new_database):
    await run_migrations(new_database)
    await execute(
        new_database,
        "INSERT INTO teams VALUES (gen_random_uuid(), 'Kept', DEFAULT, now(), now())",
        # A type is not dropped, and a table's name has to be free among types too.
        "DROP TABLE canaries",
        "CREATE TYPE canaries AS (id int)",
    )

    code, said = await shell.run("restore", dump, "--replace", database_url=new_database)

    assert code == 1
    assert "canaries" in said
    assert [row[0] for row in await ask(new_database, TEAMS)] == ["Kept"]


async def test_a_dump_of_an_earlier_release_is_migrated(shell, new_database, data_dir):
    await run_migrations(new_database, "0001")
    await shell.run("backup", "old.dump", database_url=new_database)

    code, said = await shell.run("restore", "old.dump", data_dir=data_dir)

    assert code == 0, said
    assert "earlier release" in said
    with EmbeddedPostgres(data_dir) as server:
        assert "canaries" in [row[0] for row in await ask(server.url, TABLES)]


async def test_a_dump_of_a_later_release_is_refused(shell, new_database, data_dir):
    await run_migrations(new_database)
    await execute(new_database, "UPDATE alembic_version SET version_num = '9999'")
    await shell.run("backup", "new.dump", database_url=new_database)

    code, said = await shell.run("restore", "new.dump", data_dir=data_dir)

    assert code == 1
    assert "made by a later release" in said
    assert not data_dir.exists()


@pytest.mark.parametrize("release", SERVERS)
async def test_a_dump_can_be_restored_into_every_release_of_postgresql(
    shell, dump, run_directory, release
):
    server = EmbeddedPostgres(
        run_directory / f"older-{release}", durable=False, programs=SERVERS[release]
    )
    with server:
        restored = await shell.run("restore", dump, database_url=server.url)
        saved = await shell.run("backup", database_url=server.url)
        teams = await ask(server.url, TEAMS)

    assert (restored[0], saved[0]) == (0, 0), restored[1] + saved[1]
    assert [row[0] for row in teams] == ["Payments"]


def test_passwords_reach_programs_by_their_environment_only():
    given = environment("postgresql+asyncpg://me:s%40cret@db.example:6543/pager?ssl=require")

    assert {name: given[name] for name in given if name.startswith("PG")} == {
        "PGHOST": "db.example",
        "PGPORT": "6543",
        "PGUSER": "me",
        "PGPASSWORD": "s@cret",
        "PGDATABASE": "pager",
        "PGSSLMODE": "require",
        "PGAPPNAME": "incident-service backup",
    } | {name: text for name, text in os.environ.items() if name == "PGSSLROOTCERT"}
