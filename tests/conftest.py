"""The test harness: real PostgreSQL and Valkey, a frozen clock, a queue that remembers.

All workers of a run share one PostgreSQL; each has its own database, cloned from a migrated
template. Tests commit for real, and every table is emptied after each test.
"""

import asyncio
import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import httpx
import hypothesis
import pytest
import structlog
from alembic import command
from alembic.config import Config
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine
from tests import factories
from tests.contract import Contract
from tests.fakes import FrozenClock, RememberingQueue
from tests.kept import Kept, as_replica, run_script
from tests.stage import Stage

from incident_service.core.db import Transactions, make_engine, make_sessions
from incident_service.embedded import EmbeddedPostgres, EmbeddedValkey
from incident_service.main import create_app, equip
from incident_service.models import metadata
from incident_service.settings import Settings

# Properties are tried on few examples while one develops, and on many in CI.
# Without a deadline: what else the machine does is no fault of an example.
hypothesis.settings.register_profile("quick", max_examples=25, deadline=None)
hypothesis.settings.register_profile("thorough", max_examples=200, deadline=None)
hypothesis.settings.load_profile("quick")

ROOT = Path(__file__).parents[1]
RUN_DIRECTORY = "INCIDENT_SERVICE_TEST_RUN"
TEMPLATE = "incident_service_template"
EMPTY = as_replica([f"DELETE FROM {table.name}" for table in reversed(metadata.sorted_tables)])


def pytest_configure(config: pytest.Config) -> None:
    """Make the directory that all workers of this run share.

    It is short, because of the length limit of socket paths, and readable for everybody, because
    PostgreSQL does not run as root.
    """
    for name in [name for name in os.environ if name.startswith("INCIDENT_SERVICE_")]:
        if name != RUN_DIRECTORY:  # a developer's settings must not reach the tests
            del os.environ[name]
    if not hasattr(config, "workerinput"):
        directory = tempfile.mkdtemp(prefix="incident-tests-")
        Path(directory).chmod(0o755)
        os.environ[RUN_DIRECTORY] = directory
        config.add_cleanup(lambda: shutil.rmtree(directory, ignore_errors=True))
    structlog.configure(
        processors=[structlog.processors.KeyValueRenderer()],
        logger_factory=structlog.ReturnLoggerFactory(),
    )


def pytest_xdist_auto_num_workers() -> int:
    """One process more than processors: tests often wait for a server."""
    return (os.cpu_count() or 1) + 1


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def alembic_config(url: str) -> Config:
    config = Config(ROOT / "alembic.ini")
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


@pytest.fixture(scope="session")
def run_directory() -> Path:
    return Path(os.environ[RUN_DIRECTORY])


@pytest.fixture(scope="session")
def postgres(run_directory: Path) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(
        run_directory / "pg", durable=False, settings={"max_connections": "300"}
    ) as server:
        yield server


async def execute(url: str, *statements: str) -> None:
    """Run statements outside any transaction: databases are made and dropped that way."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def exists(url: str, database: str) -> bool:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        found = await connection.fetchval(
            "SELECT true FROM pg_database WHERE datname = $1", database
        )
    finally:
        await connection.close()
    return bool(found)


@pytest.fixture(scope="session")
async def database_url(
    postgres: EmbeddedPostgres, run_directory: Path, worker_id: str
) -> AsyncIterator[str]:
    """A migrated, empty database for this worker."""
    name = f"test_{worker_id}"
    with locked(run_directory / "template.lock"):
        if not await exists(postgres.url, TEMPLATE):
            await execute(postgres.url, f"CREATE DATABASE {TEMPLATE}_new")
            await run_migrations(postgres.database_url(f"{TEMPLATE}_new"))
            await execute(postgres.url, f"ALTER DATABASE {TEMPLATE}_new RENAME TO {TEMPLATE}")
        await execute(postgres.url, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    yield postgres.database_url(name)
    await execute(postgres.url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
async def another_database_url(
    postgres: EmbeddedPostgres, database_url: str, worker_id: str
) -> AsyncIterator[str]:
    """A migrated, empty database that is not emptied after each test, but dropped in the end."""
    name = f"another_{worker_id}"
    await execute(postgres.url, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    yield postgres.database_url(name)
    await execute(postgres.url, f"DROP DATABASE {name} WITH (FORCE)")


async def run_migrations(url: str, revision: str = "head") -> None:
    """Upgrade or downgrade in a thread: Alembic brings its own event loop."""
    direction = command.downgrade if revision == "base" else command.upgrade
    await asyncio.to_thread(direction, alembic_config(url), revision)


@pytest.fixture(scope="session")
def valkey(run_directory: Path, worker_id: str) -> Iterator[EmbeddedValkey]:
    with EmbeddedValkey(run_directory / f"valkey-{worker_id}") as server:
        yield server


@pytest.fixture(scope="session")
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = make_engine(database_url, pool_size=20)
    yield engine
    await engine.dispose()


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def queue() -> RememberingQueue:
    return RememberingQueue()


@pytest.fixture
async def transactions(
    engine: AsyncEngine, queue: RememberingQueue, clock: FrozenClock
) -> AsyncIterator[Transactions]:
    """Opens real transactions; what they committed is gone after the test."""
    yield Transactions(make_sessions(engine), queue, clock)
    await run_script(engine, EMPTY)


@pytest.fixture(scope="session")
def kept(engine: AsyncEngine) -> Kept:
    """What many tests begin with."""
    return Kept(engine)


@pytest.fixture(scope="session")
def usual_settings() -> Settings:
    """Read once: each time takes as long as a statement."""
    return Settings(_env_file=None, api_requests_per_second=0)


@pytest.fixture
def settings(usual_settings: Settings) -> Settings:
    return usual_settings.model_copy()


@pytest.fixture(scope="session")
def built_app(engine: AsyncEngine, usual_settings: Settings) -> FastAPI:
    """The API, built once: that takes longer than most tests."""
    idle = Transactions(make_sessions(engine), RememberingQueue(), FrozenClock())
    return create_app(usual_settings, idle)


@pytest.fixture
def app(built_app: FastAPI, settings: Settings, transactions: Transactions) -> Iterator[FastAPI]:
    """The API on this test's transactions; what a test changes in it is put back."""
    before = dict(built_app.state._state)
    equip(built_app, settings, transactions)
    yield built_app
    built_app.dependency_overrides.clear()
    built_app.state._state.clear()
    built_app.state._state.update(before)


@pytest.fixture(scope="session")
def contract(built_app: FastAPI) -> Contract:
    """What the API says of itself; each answer is compared with it."""
    return Contract(built_app.openapi())


@pytest.fixture
async def anonymous(app: FastAPI, contract: Contract) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a key."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://test", event_hooks={"response": [contract.check]}
    ) as client:
        yield client


@pytest.fixture
async def api(
    app: FastAPI, transactions: Transactions, contract: Contract, kept: Kept, clock: FrozenClock
) -> AsyncIterator[httpx.AsyncClient]:
    """A client with an admin key."""

    async def make_key() -> str:
        async with transactions.open() as tx:
            return await factories.make_api_key(tx, scopes=["admin"])

    key = await kept.once(("admin key", clock.now), make_key)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(
        transport=transport,
        base_url="http://test",
        headers=headers,
        event_hooks={"response": [contract.check]},
    ) as client:
        yield client


@pytest.fixture
async def stage(transactions: Transactions, clock: FrozenClock, kept: Kept) -> Stage:
    """The usual cast, on a policy of two levels with 5 minutes each."""
    stage = Stage(transactions, clock)
    return stage.go_on_with(await kept.once(("stage", clock.now), stage.cast))
