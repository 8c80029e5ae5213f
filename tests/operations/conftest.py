"""Databases to back up and to restore into, and commands that run to their end."""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import pytest
from tests.conftest import execute, run_migrations
from tests.shell import Shell

from incident_service.embedded import EmbeddedPostgres

NUMBERS = count()


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def data_dir(run_directory: Path) -> Iterator[Path]:
    """A data directory that is not there yet; its server is stopped at the end."""
    directory = run_directory / f"data-{os.getpid()}-{next(NUMBERS)}"
    yield directory
    if directory.exists():
        with EmbeddedPostgres(directory):
            pass  # stops what a failed test left behind
        shutil.rmtree(directory)


@pytest.fixture
async def new_database(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """An empty database."""
    name = f"restored_{os.getpid()}_{next(NUMBERS)}"
    await execute(postgres.url, f"CREATE DATABASE {name}")
    yield postgres.database_url(name)
    await execute(postgres.url, f"DROP DATABASE {name} WITH (FORCE)")


async def start_migrated(data_dir: Path) -> EmbeddedPostgres:
    """Start the server of a data directory, as `dev` does, with the tables made."""
    server = EmbeddedPostgres(data_dir, durable=False)
    await asyncio.to_thread(server.start)
    await run_migrations(server.url)
    return server


def webhook_to(key: str, *alerts: dict[str, object]) -> tuple[bytes, bytes]:
    """Return a webhook as it goes over the wire, in two parts: the server is asked between them."""
    body = json.dumps({"version": "4", "groupLabels": {}, "alerts": alerts}).encode()
    head = (
        "POST /v1/ingest/alertmanager HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {key}\r\nContent-Length: {len(body)}\r\n"
        "Expect: 100-continue\r\nConnection: close\r\n\r\n"
    )
    return head.encode(), body
