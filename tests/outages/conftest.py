"""Servers of our own, to be stopped, killed, frozen and brought back."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.conftest import execute, run_migrations
from tests.relay import Relay, relay

from incident_service.embedded import EmbeddedPostgres, EmbeddedValkey
from incident_service.embedded.processes import pid_in

DATABASE = "incidents"


@pytest.fixture(scope="module")
def own_directory(run_directory: Path, worker_id: str) -> Iterator[Path]:
    directory = run_directory / f"outages-{worker_id}"
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="module")
async def own_postgres(own_directory: Path) -> AsyncIterator[EmbeddedPostgres]:
    """A PostgreSQL of this module's own, migrated. It keeps what it committed when it is killed."""
    server = EmbeddedPostgres(own_directory / "pg")
    await asyncio.to_thread(server.start)
    await execute(server.url, f"CREATE DATABASE {DATABASE}")
    await run_migrations(server.database_url(DATABASE))
    yield server
    await asyncio.to_thread(server.stop)


@pytest.fixture
async def own_valkey(
    own_directory: Path, request: pytest.FixtureRequest
) -> AsyncIterator[EmbeddedValkey]:
    """A Valkey of this test's own."""
    server = EmbeddedValkey(own_directory / f"valkey-{abs(hash(request.node.name)) % 10_000}")
    await asyncio.to_thread(server.start)
    yield server
    await asyncio.to_thread(server.stop)


def kill(server: EmbeddedPostgres | EmbeddedValkey, how: signal.Signals) -> None:
    """Signal a server; it comes back by itself, because its users watch it."""
    pid_file = "pgdata/postmaster.pid" if isinstance(server, EmbeddedPostgres) else "valkey.pid"
    pid = pid_in(server.directory / pid_file)
    assert pid is not None
    os.kill(pid, how)


@pytest.fixture
async def to_postgres(own_postgres: EmbeddedPostgres) -> AsyncIterator[Relay]:
    async with relay(own_postgres.socket) as between:
        yield between


@pytest.fixture
def own_database_url(to_postgres: Relay) -> str:
    """The database, reached through a network that can fail."""
    return f"postgresql+asyncpg://postgres@127.0.0.1:{to_postgres.port}/{DATABASE}?ssl=disable"


@pytest.fixture
async def to_valkey(own_valkey: EmbeddedValkey) -> AsyncIterator[Relay]:
    async with relay(own_valkey.socket) as between:
        yield between
