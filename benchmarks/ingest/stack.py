"""What is measured: the service on its own PostgreSQL and Valkey, and what it is compared with."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx
from benchmarks.chaos.fleet import free_port
from sqlalchemy import make_url
from tests import factories
from tests.api_steps import Customer, set_up
from tests.processes import command, environment_of
from tests.running import drill_settings

from incident_service.cli.migrating import migrate
from incident_service.core.runtime import open_runtime
from incident_service.core.stopping import stops_within
from incident_service.embedded import EmbeddedPostgres, EmbeddedValkey
from incident_service.embedded.processes import pid_in

FORGET = "TRUNCATE incidents, alerts, pages, rejected_alerts CASCADE"
OTHERS_AT_WORK = """
    SELECT EXISTS (
        SELECT FROM pg_stat_activity
        WHERE backend_type = 'client backend' AND state <> 'idle' AND pid <> pg_backend_pid()
    )
"""
PATIENCE_S = 60.0
ALERTMANAGER = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"


@dataclass(frozen=True)
class Stack:
    """The service, and a connection to its database."""

    urls: Sequence[str]
    headers: Mapping[str, str]
    customer: Customer
    database: asyncpg.Connection
    database_url: str
    processes: Mapping[str, Sequence[int]]

    @property
    def ingest_urls(self) -> list[str]:
        return [f"{url}/v1/ingest/alertmanager" for url in self.urls]

    async def take(self, bodies: Iterable[bytes]) -> None:
        """Send webhooks, one after the other."""
        for body in bodies:
            answer = await self.customer.api.post(
                "/v1/ingest/alertmanager", content=body, headers=self.headers
            )
            answer.raise_for_status()

    async def forget(self) -> None:
        """Begin with an empty database, as a fresh autovacuum would leave it."""
        while await self.database.fetchval(OTHERS_AT_WORK):
            await stops_within(asyncio.Event(), 0.05)  # with what came last
        await self.database.execute(FORGET)
        await self.database.execute("VACUUM ANALYZE")
        await self.database.execute("CHECKPOINT")


@asynccontextmanager
async def open_stack(directory: Path, apis: int, *, worker: bool = False) -> AsyncIterator[Stack]:
    """Start everything: PostgreSQL is durable, as with `make run`."""
    async with AsyncExitStack() as running:
        postgres = running.enter_context(EmbeddedPostgres(directory / "pg"))
        valkey = running.enter_context(EmbeddedValkey(directory))
        await asyncio.to_thread(migrate, postgres.url)
        settings = drill_settings(postgres.url, valkey.url, 60, worker_port=0, log_level="WARNING")
        async with open_runtime(settings) as runtime, runtime.transactions.open() as tx:
            key = await factories.make_api_key(tx, scopes=["admin"])
        ports = [free_port() for _ in range(apis)]
        pids = []
        for port in ports:
            environment = environment_of(settings) | {"INCIDENT_SERVICE_PORT": str(port)}
            api = command("api", environment=environment, home=directory)
            pids.append((await running.enter_async_context(api)).pid)
        processes = {
            "api": pids,
            "postgres": [pid_in(postgres.directory / "pgdata" / "postmaster.pid") or 0],
        }
        if worker:
            begun = command("worker", environment=environment_of(settings), home=directory)
            processes["worker"] = [(await running.enter_async_context(begun)).pid]
        urls = [f"http://127.0.0.1:{port}" for port in ports]
        for url in urls:
            await until_answered(f"{url}/readyz")
        database_url = postgres.url.replace("+asyncpg", "")
        database = await asyncpg.connect(database_url)
        running.push_async_callback(database.close)
        client = await running.enter_async_context(
            httpx.AsyncClient(
                base_url=urls[0],
                headers={"Authorization": f"Bearer {key}"},
                trust_env=False,
                timeout=60,
            )
        )
        customer = await set_up(client, [f"http://127.0.0.1:{free_port()}/nobody"])
        headers = {"Authorization": f"Bearer {customer.ingest_key}"}
        yield Stack(urls, headers, customer, database, database_url, processes)


async def until_answered(url: str) -> None:
    """Wait until an address answers."""
    async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(PATIENCE_S):
        while True:
            try:
                if (await client.get(url)).is_success:
                    return
            except httpx.TransportError:
                pass
            await stops_within(asyncio.Event(), 0.05)


@asynccontextmanager
async def other_server(
    words: Sequence[str], url: str, environment: Mapping[str, str], home: Path
) -> AsyncIterator[int]:
    """Run a server of somebody else's until the end of the block; give its process id."""
    with (home / f"{Path(words[0]).name}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *words, cwd=home, env=environment, stdout=log, stderr=log
        )
        try:
            await until_answered(url)
            yield process.pid
        finally:
            process.terminate()
            await process.wait()


@asynccontextmanager
async def alertmanager(home: Path) -> AsyncIterator[str | None]:
    """Run Alertmanager and give its address for alerts; None where it is not installed."""
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if program is None:
        yield None
        return
    (home / "alertmanager.yml").write_text(ALERTMANAGER)
    base = f"http://127.0.0.1:{free_port()}"
    words = [
        program,
        "--config.file=alertmanager.yml",
        "--storage.path=alertmanager-data",
        f"--web.listen-address={base.removeprefix('http://')}",
        "--cluster.listen-address=",
        "--log.level=error",
    ]
    async with other_server(words, f"{base}/-/ready", {}, home):
        yield f"{base}/api/v2/alerts"


@asynccontextmanager
async def alerta(stack: Stack, peers: Path, home: Path, workers: int) -> AsyncIterator[str | None]:
    """Run Alerta on a database of its own, in our PostgreSQL; None where it is not installed."""
    gunicorn = peers / "bin" / "gunicorn"
    if not gunicorn.exists():
        yield None
        return
    await stack.database.execute("DROP DATABASE IF EXISTS alerta")
    await stack.database.execute("CREATE DATABASE alerta")
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    environment = {
        "DATABASE_URL": make_url(stack.database_url).set(database="alerta").render_as_string(),
        "SECRET_KEY": "of no use to anybody",
        "ALERTA_SVR_CONF_FILE": str(home / "alertad.conf"),
        "PATH": str(peers / "bin"),
    }
    (home / "alertad.conf").write_text("AUTH_REQUIRED = False\nPLUGINS = []\nDEBUG = False\n")
    words = [
        str(gunicorn),
        *("--bind", f"127.0.0.1:{port}", "--workers", str(workers), "--threads", "4"),
        *("--log-level", "error", "alerta:create_app()"),
    ]
    async with other_server(words, f"{base}/management/gtg", environment, home):
        yield f"{base}/webhooks/prometheus"
