"""How late pages are: with many timers pending, with many due at one instant, and when idle.

Run it with `.venv/bin/python -m benchmarks.punctuality`. It starts PostgreSQL (durable), Valkey,
one API and one worker by itself, and stops by itself. A step's lateness runs from its due time to
the start of the transaction that took it.
"""

import argparse
import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter

import asyncpg
import httpx
from tests import factories
from tests.api_steps import Customer, firing, set_up
from tests.processes import command, environment_of
from tests.receiver import WebhookReceiver, webhook_receiver
from tests.running import drill_settings

from incident_service.cli.migrating import migrate
from incident_service.core.runtime import open_runtime
from incident_service.core.stopping import stops_within
from incident_service.embedded import EmbeddedPostgres, EmbeddedValkey
from incident_service.escalation.jobs import restore_jobs
from incident_service.settings import Settings

DUE_OVER_S = 20.0
DUE_AFTER_S = 8.0
LATER_S = 1_800.0
WARM_UP = 20
WEBHOOKS = 200
LOOK_EVERY_S = 0.02
PATIENCE_S = 120.0

# Copies of one incident, each with its own pending step; the last ones are due soon.
COPY_INCIDENTS = """
    INSERT INTO incidents
    SELECT made.*
    FROM incidents i, generate_series(1, $1) n,
        LATERAL jsonb_populate_record(i, jsonb_build_object(
            'id', gen_random_uuid(), 'number', nextval('incident_number'),
            'fingerprint', 'copy/' || n)) made
    WHERE i.fingerprint NOT LIKE 'copy/%'
"""
COPY_STEPS = """
    WITH j AS MATERIALIZED (SELECT * FROM escalation_jobs WHERE NOT completed)
    INSERT INTO escalation_jobs
    SELECT made.*
    FROM j,
        (SELECT id, gen_random_uuid() AS job_id, row_number() OVER () AS n
         FROM incidents WHERE fingerprint LIKE 'copy/%') i,
        LATERAL jsonb_populate_record(NULL::escalation_jobs, to_jsonb(j) || jsonb_build_object(
            'id', i.job_id, 'arq_job_id', i.job_id, 'incident_id', i.id,
            'scheduled_for', $5::timestamptz + make_interval(secs => CASE WHEN i.n <= $1
                THEN $2::float8 + $3::float8 * (i.n - 1) / greatest($1 - 1, 1)
                ELSE $4::float8 + i.n * 0.01 END))) made
"""
LATENESS = """
    SELECT extract(epoch FROM executed_at - scheduled_for)::float8
    FROM escalation_jobs WHERE completed AND scheduled_level = 2 ORDER BY 1
"""
COUNT_DONE = "SELECT count(*) FROM escalation_jobs WHERE completed AND scheduled_level = 2"
FORGET = "TRUNCATE incidents, alerts, pages CASCADE"


@dataclass(frozen=True)
class Place:
    """Everything that runs, and a way to look into it."""

    settings: Settings
    customer: Customer
    receiver: WebhookReceiver
    database: asyncpg.Connection
    directory: Path

    async def fill(self, pending: int, due: int, over_s: float) -> datetime:
        """Leave `pending` steps waiting, `due` of them due within `over_s` seconds from soon.

        Returns when the last of these is due.
        """
        await self.database.execute(FORGET)
        await self.customer.webhook(firing("Original"))
        await self.database.execute(COPY_INCIDENTS, pending)
        now: datetime = await self.database.fetchval("SELECT clock_timestamp()")
        after_s = DUE_AFTER_S + pending / 10_000
        await self.database.execute(COPY_STEPS, due, after_s, over_s, LATER_S, now)
        await self.database.execute("ANALYZE")
        async with open_runtime(self.settings) as runtime:
            await restore_jobs(runtime.transactions, runtime.queue)
        return now + timedelta(seconds=after_s + over_s)

    async def wait_for(self, due: int, last_due: datetime) -> float:
        """Wait until so many steps are done; return the seconds since the last was due."""
        async with asyncio.timeout(PATIENCE_S):
            while await self.database.fetchval(COUNT_DONE) < due:
                await stops_within(asyncio.Event(), LOOK_EVERY_S)
        now: datetime = await self.database.fetchval("SELECT clock_timestamp()")
        return (now - last_due).total_seconds()


@asynccontextmanager
async def open_place(directory: Path) -> AsyncIterator[Place]:
    with EmbeddedPostgres(directory / "pg") as postgres, EmbeddedValkey(directory) as valkey:
        await asyncio.to_thread(migrate, postgres.url)
        settings = drill_settings(postgres.url, valkey.url, 60, worker_port=0)
        async with open_runtime(settings) as runtime, runtime.transactions.open() as tx:
            key = await factories.make_api_key(tx, scopes=["admin"])
        environment = environment_of(settings) | {"INCIDENT_SERVICE_PORT": "0"}
        async with (
            webhook_receiver() as receiver,
            command("api", environment=environment, home=directory) as api,
            command("worker", environment=environment, home=directory) as worker,
        ):
            port = json.loads(await api.says('"api.starts"'))["port"]
            await worker.says('"worker.starts"')
            database = await asyncpg.connect(postgres.url.replace("+asyncpg", ""))
            async with httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{port}",
                headers={"Authorization": f"Bearer {key}"},
                trust_env=False,
                timeout=60,
            ) as client:
                addresses = [receiver.url("one"), receiver.url("two")]
                customer = await set_up(client, addresses, bundle=False)
                yield Place(settings, customer, receiver, database, directory)
            await database.close()


def quantile(sorted_values: Sequence[float], share: float) -> float:
    return sorted_values[min(int(len(sorted_values) * share), len(sorted_values) - 1)]


def row(what: str, seconds: Sequence[float], note: str = "") -> str:
    in_order = sorted(seconds)
    shown = [quantile(in_order, share) * 1000 for share in (0.5, 0.99, 1.0)]
    return (
        f"| {what} | {len(seconds)} | " + " | ".join(f"{ms:.0f}" for ms in shown) + f" | {note} |"
    )


async def with_pending(place: Place, pending: int, due: int) -> str:
    last_due = await place.fill(pending, due, DUE_OVER_S)
    await place.wait_for(due, last_due)
    late_s = [record[0] for record in await place.database.fetch(LATENESS)]
    what = f"steps, {pending:,} pending, {due / DUE_OVER_S:.0f} a second due"
    return row(what, late_s)


async def at_once(place: Place, due: int) -> str:
    last_due = await place.fill(due, due, 0)
    took_s = await place.wait_for(due, last_due)
    late_s = [record[0] for record in await place.database.fetch(LATENESS)]
    return row(f"steps, {due:,} due at one instant", late_s, f"all done after {took_s:.1f} s")


async def when_idle(place: Place) -> str:
    await place.database.execute(FORGET)
    took_s = []
    for number in range(-WARM_UP, WEBHOOKS):
        before = len(place.receiver.to("one"))
        began_s = perf_counter()
        await place.customer.webhook(firing(f"Idle{number}"))
        while len(place.receiver.to("one")) == before:
            await stops_within(asyncio.Event(), 0.001)
        if number >= 0:
            took_s.append(perf_counter() - began_s)
    return row("webhook to page, idle", took_s)


async def run(directory: Path, pending: Sequence[int], due: int, many: int) -> None:
    async with open_place(directory) as place:
        print(
            "| what | count | p50 ms | p99 ms | max ms | |\n|---|---|---|---|---|---|", flush=True
        )
        print(await when_idle(place), flush=True)
        for count in pending:
            print(await with_pending(place, count, due), flush=True)
        print(await at_once(place, many), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pending", type=int, nargs="+", default=[1_000, 100_000])
    parser.add_argument("--due", type=int, default=1_000, help="of them, due within 20 s")
    parser.add_argument("--at-once", type=int, default=5_000)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o711)  # root runs PostgreSQL as somebody else
        asyncio.run(run(Path(directory), wanted.pending, wanted.due, wanted.at_once))


if __name__ == "__main__":
    main()
