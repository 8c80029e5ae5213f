"""Restore a dump: all of it in one transaction, or nothing; then bring it to this release."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from incident_service.cli.backup.clients import Clients, clients_for
from incident_service.cli.backup.database import State, look_at
from incident_service.cli.backup.dump import ONLY_OURS, Dump, read_dump
from incident_service.cli.database import open_database
from incident_service.cli.environment import load_settings
from incident_service.cli.failing import CannotRun
from incident_service.cli.migrating import knows, migrate

# Its prelude stands in the first lines of what `pg_restore` writes.
PRELUDE_LINES = 40
ONLY_SINCE_17 = b"SET transaction_timeout = 0;\n"
TRANSACTION_TIMEOUT_SINCE = 17
# What an extension has brought belongs to it. `lock_timeout` is short: behind a lock that is waited
# for, every request waits as well.
EMPTY = b"""
SET LOCAL lock_timeout = '10s';
SET LOCAL client_min_messages = 'warning';
DO $$
DECLARE
    named text;
    kind "char";
BEGIN
    FOR named, kind IN
        SELECT format('%I.%I', 'public', relname), relkind FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'S')
          AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass
                          AND objid = pg_class.oid AND deptype = 'e')
        ORDER BY relkind = 'S', relname
    LOOP
        EXECUTE format('DROP %s IF EXISTS %s CASCADE',
                       CASE kind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, named);
    END LOOP;
    FOR named IN
        SELECT oid::regprocedure::text FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND prokind = 'f'
          AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass
                          AND objid = pg_proc.oid AND deptype = 'e')
    LOOP
        EXECUTE format('DROP FUNCTION IF EXISTS %s CASCADE', named);
    END LOOP;
END $$;
"""

# The index of texts needs it, and a dump of one schema leaves extensions out.
EXTENSION = b"CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;\n"

# This server numbers its transactions anew: by the old numbers, readers of events would wait for
# ever, or read again what they have read. What was read stays read; what was not is still to be.
RENUMBER = b"""
DO $$
BEGIN
    IF to_regclass('public.webhook_subscriptions') IS NOT NULL THEN
        UPDATE public.webhook_subscriptions AS subscription SET read_xact = 0, read_position =
            coalesce(
                (SELECT min(position) - 1 FROM public.incident_events
                 WHERE (xact, position) > (subscription.read_xact, subscription.read_position)),
                (SELECT max(position) FROM public.incident_events),
                0
            );
    END IF;
    IF to_regclass('public.incident_events') IS NOT NULL THEN
        UPDATE public.incident_events SET xact = 0;
    END IF;
END $$;
"""


def run_restore(path: Path, *, replace: bool, force: bool) -> None:
    """Restore a dump, and say what was done.

    Raises:
        CannotRun: the dump or the database is not fit for it; nothing was changed.
        EmbeddedError: a server or a program is missing.
    """
    settings = load_settings()
    # Read by itself first: a bad file should not make a data directory.
    dump = read_dump(path, clients_for(settings.database_url or "postgresql+asyncpg://"))
    if not knows(dump.revision):
        raise CannotRun(
            f"{path} was made by a later release: it is at {dump.revision}, which this release "
            "does not know. Restore it with that release."
        )
    with open_database(settings, make=True) as url:
        state = look_at(url)
        require_fit(state, replace=replace, force=force)
        restore(dump, clients_for(url), state)
        print(f"Restored {path}: {dump}.")
        before, after = migrate(url)
    if before.is_behind:
        print(f"It was of an earlier release, and has been brought to {after.current}.")


def require_fit(state: State, *, replace: bool, force: bool) -> None:
    """Refuse a database that is in use, or holds something.

    Raises:
        CannotRun: it is, or does.
    """
    if state.connections and not force:
        raise CannotRun(
            f"An API, a worker or `dev` is connected to the database ({state.connections} "
            "connections). Stop them first; --force restores under their feet."
        )
    if state.tables and not state.is_ours:
        raise CannotRun("The database holds tables, and not the incident service's.")
    if state.tables and not replace:
        raise CannotRun(
            f"The database is not empty: it has {state.tables} tables. --replace drops them all "
            "and restores the dump in their place."
        )


def restore(dump: Dump, clients: Clients, state: State) -> None:
    """Put what the dump holds in the place of what is there.

    Raises:
        CannotRun: it cannot be done; nothing was changed.
    """
    with transaction(clients) as script:
        script.write(EMPTY)
        script.write(EXTENSION)
        with clients.begun("pg_restore", *ONLY_OURS, "--file=-", dump.path) as reading:
            assert reading.stdout is not None
            copy(reading.stdout, script, state)
        script.write(RENUMBER)


@contextmanager
def transaction(clients: Clients) -> Iterator[IO[bytes]]:
    """Yield a script to write; what it did is committed at its end, unless that is not reached.

    `psql --single-transaction` would commit a script that breaks off.
    """
    options = ("--no-psqlrc", "--quiet", "--output=/dev/null", "--set=ON_ERROR_STOP=1")
    with clients.begun("psql", *options, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(b"BEGIN;\n")
        yield process.stdin
        # Without statistics, PostgreSQL would plan badly until it gathers some by itself.
        process.stdin.write(b"COMMIT;\nANALYZE;\n")


def copy(script: IO[bytes], to: IO[bytes], state: State) -> None:
    """Copy a script of `pg_restore`, without what an older server does not know."""
    for _ in range(PRELUDE_LINES):
        line = script.readline()
        if line != ONLY_SINCE_17 or state.major >= TRANSACTION_TIMEOUT_SINCE:
            to.write(line)
    shutil.copyfileobj(script, to)
