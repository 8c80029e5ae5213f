"""A running service for generated clients, and where their generators are."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from arq import ArqRedis
from tests.alertmanager.serving import serving
from tests.clients.address import Address
from tests.receiver import webhook_receiver
from tests.running import drill_settings, running

from incident_service.core.db import Transactions
from incident_service.core.queue import make_redis
from incident_service.embedded import EmbeddedValkey
from incident_service.main import create_serving_app


@pytest.fixture
async def redis(valkey: EmbeddedValkey) -> AsyncIterator[ArqRedis]:
    redis = make_redis(valkey.url)
    yield redis
    await redis.flushdb()
    await redis.aclose(close_connection_pool=True)


@pytest.fixture
async def address(
    transactions: Transactions, database_url: str, valkey: EmbeddedValkey, redis: ArqRedis
) -> AsyncIterator[Address]:
    """Where an empty installation is reached, and its first key."""
    async with (
        running(drill_settings(database_url, valkey.url, 60)) as service,
        serving(create_serving_app(service.runtime)) as base_url,
        webhook_receiver() as receiver,
    ):
        key = service.api.headers["Authorization"].removeprefix("Bearer ")
        yield Address(base_url, key, receiver.url("ada"))


@pytest.fixture
async def document(address: Address, tmp_path: Path) -> Path:
    """The service's OpenAPI document, in a file."""
    path = tmp_path / "openapi.json"
    async with httpx.AsyncClient(base_url=address.base_url) as client:
        path.write_bytes((await client.get("/openapi.json")).raise_for_status().content)
    return path


@pytest.fixture
def workshop(tmp_path: Path) -> Path:
    """A directory to generate a client in."""
    directory = tmp_path / "workshop"
    directory.mkdir()
    return directory


@pytest.fixture(scope="session")
def npx() -> str:
    found = shutil.which("npx")
    assert found, "npm is needed: install Node.js 20 or later with npm."
    return found
