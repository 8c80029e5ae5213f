"""How fast incidents and alerts are found among many, and by which plans.

Run it with `.venv/bin/python -m benchmarks.search`. It starts and stops PostgreSQL by itself. The
API runs in this process: times are of everything but the network. A million incidents and five
million alerts take five minutes and eight gigabytes; `--incidents 50000` takes half a minute.
The last column names large tables that are read whole.
"""

import argparse
import asyncio
import logging
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import structlog
from benchmarks.filling import Filling, fill
from sqlalchemy.ext.asyncio import AsyncEngine
from tests import factories
from tests.fakes import FrozenClock, RememberingQueue
from tests.plans import explain, indexes_of, listening, read_whole
from tests.stage import Stage

from incident_service.cli.migrating import migrate
from incident_service.core.db import Transactions, make_engine, make_sessions
from incident_service.embedded import EmbeddedPostgres
from incident_service.main import create_app
from incident_service.settings import Settings

ASKED = 15
TEAMS = 20
SERVICES = 100
RETIRED = "RetiredLongAgo"
MEMBER_OF = 3

Params = dict[str, Any]
INCIDENTS: dict[str, Params] = {
    "newest": {},
    "open": {"status": "OPEN"},
    "open or acknowledged, urgent first": {"status": ["OPEN", "ACKNOWLEDGED"], "sort": "urgent"},
    "urgent first": {"sort": "urgent"},
    "open and critical": {"status": "OPEN", "priority": "critical"},
    "critical": {"priority": "critical"},
    "rare priority": {"priority": "info"},
    "large team": {"team_id": "{large_team}"},
    "large team, open": {"team_id": "{large_team}", "status": "OPEN"},
    "small team": {"team_id": "{small_team}"},
    "small team, urgent first": {"team_id": "{small_team}", "sort": "urgent"},
    "service": {"service_id": "{small_service}"},
    "service silent for long": {"service_id": "{silent_service}"},
    "assignee": {"assigned_user_id": "{user}"},
    "quiet": {"is_quiet": True},
    "exhausted": {"is_exhausted": True},
    "fingerprint": {"fingerprint": "copy/4711"},
    "a day": {"created_from": "{day}", "created_before": "{day_after}"},
    "a day, large team, resolved": {
        "created_from": "{day}",
        "created_before": "{day_after}",
        "team_id": "{large_team}",
        "status": "RESOLVED",
    },
    "label, 1 in 5,000": {"matcher": "instance=host-4711.example:9100"},
    "label, 1 in 200": {"matcher": "alertname=Alert117"},
    "label, 1 in 20": {"matcher": "cluster=cluster-7"},
    "labels, three": {"matcher": ["alertname=Alert117", "severity=high", "cluster=cluster-17"]},
    "label, long ago only": {"matcher": f"alertname={RETIRED}"},
    "label, nowhere": {"matcher": "alertname=Never"},
    "label, choice": {"matcher": "alertname=~Alert117|Alert118"},
    "label, not": {"matcher": "severity!=critical"},
    "label, not there": {"matcher": 'severity=""'},
    "label, regular expression": {"matcher": "instance=~host-47.*"},
    "label and regular expression": {"matcher": ["alertname=Alert117", "instance=~host-.*17.*"]},
    "text, rare": {"q": "host-4711"},
    "text, a whole instance": {"q": "host-4711.example:9100"},
    "text, a name and a port": {"q": "keycloak.example:9100"},
    "text, 1 in 200": {"q": "alert117"},
    "text, everywhere": {"q": "disk full"},
    "text, two words": {"q": "alert117 host-4917"},
    "text, long ago only": {"q": "retiredlong"},
    "text, nowhere": {"q": "nonesuch"},
}
ALERTS: dict[str, Params] = {
    "newest": {},
    "firing": {"status": "firing"},
    "resolved": {"status": "resolved"},
    "large service": {"service_id": "{large_service}"},
    "small service": {"service_id": "{small_service}"},
    "small service, firing": {"service_id": "{small_service}", "status": "firing"},
    "small team": {"team_id": "{small_team}"},
    "integration": {"integration_id": "{integration}"},
    "fingerprint": {"fingerprint": "0000000000001267"},
    "without incident": {"has_incident": False},
    "critical": {"priority": "critical"},
    "a day": {"received_from": "{day}", "received_before": "{day_after}"},
    "label, 1 in 5,000": {"matcher": "instance=host-4711.example:9100"},
    "label, 1 in 200": {"matcher": "alertname=Alert117"},
    "labels, three": {"matcher": ["alertname=Alert117", "severity=high", "cluster=cluster-17"]},
    "label, long ago only": {"matcher": f"alertname={RETIRED}"},
    "label, not": {"matcher": "severity!=critical"},
    "label, regular expression": {"matcher": "instance=~host-47.*"},
    "urgent first": {"sort": "urgent"},
    "small team, urgent first": {"team_id": "{small_team}", "sort": "urgent"},
    "assignee": {"assigned_user_id": "{user}"},
    "of quiet incidents": {"is_quiet": True},
    "of incidents that page": {"is_quiet": False},
    "of exhausted incidents": {"is_exhausted": True},
    "text, rare": {"q": "host-4711"},
    "text, a whole instance": {"q": "host-4711.example:9100"},
    "text, a name and a port": {"q": "keycloak.example:9100"},
    "text, 1 in 200": {"q": "alert117"},
    "text, two words": {"q": "alert117 host-4917"},
    "text, nowhere": {"q": "nonesuch"},
}
LISTS = {"/v1/incidents": INCIDENTS, "/v1/alerts": ALERTS}


def say(*words: object) -> None:
    print(*words, flush=True)


@dataclass(frozen=True)
class People:
    """Whose incidents they are."""

    services: Sequence[tuple[UUID, UUID]]
    users: Sequence[UUID]


@dataclass(frozen=True)
class Place:
    """A database, and the API on it."""

    database: asyncpg.Connection
    engine: AsyncEngine
    transactions: Transactions
    api: httpx.AsyncClient


class Varied(Filling):
    """Copies of many services and people. Half are the first service's; the last is long silent."""

    def __init__(self, now: datetime, alerts_each: int, incidents: int, people: People) -> None:
        super().__init__(now, alerts_each)
        self._people = people
        self._old = incidents - 1_000

    def service(self, number: int) -> tuple[UUID, UUID]:
        if number > self._old and number % 10 == 0:
            return self._people.services[-1]
        place = number * 2_654_435_761 % 2**32 // 1_000 % (2 * SERVICES - 2)
        return self._people.services[place if place < SERVICES - 1 else 0]

    def incident(self, number: int) -> dict[str, Any]:
        service_id, team_id = self.service(number)
        row = super().incident(number)
        users = self._people.users
        if number % 10 == 1:
            row |= {"assigned_user_id": users[number // 10 % len(users)]}
        if row["status"] == "OPEN" and number % 3_000 == 0:
            row |= {"status": "ACKNOWLEDGED", "acknowledged_at": row["created_at"]}
        if number % 5_000 == 13:
            row |= {"priority": "info", "is_quiet": True}
        if number % 997 == 0:
            row |= {"exhausted_at": row["created_at"]}
        if number > self._old and number % 10 == 5:
            row |= {"title": f"{RETIRED} on a host", "labels": row["labels"] | old_name()}
        return row | {"service_id": service_id, "team_id": team_id}

    def alert(self, number: int) -> dict[str, Any]:
        of = (number - 1) // self._alerts_each + 1
        service_id, _ = self.service(of)
        row = super().alert(number) | {"service_id": service_id}
        if number % 2_003 == 0:
            row |= {"incident_id": None}
        if of > self._old and of % 10 == 5:
            row |= {"labels": row["labels"] | old_name()}
        return row


def old_name() -> dict[str, str]:
    return {"alertname": RETIRED}


async def make_people(transactions: Transactions) -> People:
    """Make teams, services and people beside the customer's."""
    async with transactions.open() as tx:
        teams = [await factories.make_team(tx) for _ in range(TEAMS)]
        services = [
            await factories.make_service(tx, teams[number % TEAMS]) for number in range(SERVICES)
        ]
        users = [await factories.make_user(tx, team=teams[0]) for _ in range(50)]
    return People(
        [(service.id, service.team_id) for service in services], [user.id for user in users]
    )


@asynccontextmanager
async def without_indexes(database: asyncpg.Connection) -> AsyncIterator[None]:
    """Have indexes made after the filling, which takes much less time, and references unchecked."""
    found = await database.fetch(
        """SELECT indexname, indexdef FROM pg_indexes
           WHERE tablename IN ('incidents', 'alerts') AND indexname LIKE 'ix\\_%'"""
    )
    sampled = await database.fetch(
        """SELECT attrelid::regclass::text AS indexname, attnum, attstattarget FROM pg_attribute
           WHERE attrelid = ANY($1::text[]::regclass[]) AND attstattarget > 0""",
        [row["indexname"] for row in found],
    )
    for row in found:
        await database.execute(f"DROP INDEX {row['indexname']}")
    await database.execute("SET session_replication_role = replica")
    yield
    await database.execute("SET session_replication_role = origin")
    await database.execute("SET maintenance_work_mem = '512MB'")
    for row in found:
        began_s = perf_counter()
        await database.execute(row["indexdef"])
        size = await database.fetchval(
            "SELECT pg_size_pretty(pg_relation_size($1::text::regclass))", row["indexname"]
        )
        say(f"  {row['indexname']}: {size}, made in {perf_counter() - began_s:.0f} s")
    for name, column, target in sampled:
        await database.execute(f"ALTER INDEX {name} ALTER COLUMN {column} SET STATISTICS {target}")
    await database.execute("VACUUM ANALYZE incidents, alerts")
    await database.execute("CHECKPOINT")


async def time_list(
    api: httpx.AsyncClient, path: str, params: Params, headers: dict[str, str]
) -> tuple[float, float, int]:
    """Return the median and the least of a list's ms, and how many it found."""
    took_s = []
    for _ in range(ASKED):
        began_s = perf_counter()
        answer = await api.get(path, params=params, headers=headers)
        took_s.append(perf_counter() - began_s)
        answer.raise_for_status()
    return median(took_s) * 1000, min(took_s) * 1000, len(answer.json()["items"])


async def find_plan(
    place: Place, path: str, params: Params, headers: dict[str, str]
) -> tuple[set[str], set[str]]:
    """Return the indexes that a list uses, and the large tables that it reads whole."""
    with listening(place.engine) as asked:
        (await place.api.get(path, params=params, headers=headers)).raise_for_status()
    nodes = await explain(place.database, asked)
    return indexes_of(nodes), read_whole(nodes)


def filled_in(params: Params, ids: dict[str, str]) -> Params:
    return {
        name: value.format(**ids) if isinstance(value, str) and value.startswith("{") else value
        for name, value in params.items()
    }


@asynccontextmanager
async def open_place(directory: Path) -> AsyncIterator[Place]:
    """Start PostgreSQL, durable, as `make run` does, and the API in this process."""
    async with AsyncExitStack() as running:
        postgres = running.enter_context(EmbeddedPostgres(directory / "pg"))
        await asyncio.to_thread(migrate, postgres.url)
        database = await asyncpg.connect(postgres.url.replace("+asyncpg", ""))
        running.push_async_callback(database.close)
        engine = make_engine(postgres.url)
        running.push_async_callback(engine.dispose)
        transactions = Transactions(make_sessions(engine), RememberingQueue(), FrozenClock())
        app = create_app(Settings(_env_file=None, api_requests_per_second=0), transactions)
        api = await running.enter_async_context(
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://inside")
        )
        yield Place(database, engine, transactions, api)


async def run(wanted: argparse.Namespace, directory: Path) -> None:
    async with open_place(directory) as place:
        stage = await Stage(place.transactions, FrozenClock()).set_up()
        await stage.fire("Alert000")
        people = await make_people(place.transactions)
        began_s = perf_counter()
        now = await place.database.fetchval("SELECT created_at FROM incidents")
        filling = Varied(now, wanted.alerts_each, wanted.incidents, people)
        async with without_indexes(place.database):
            await fill(place.database, wanted.incidents, wanted.alerts_each, filling)
            say(f"filled in {perf_counter() - began_s:.0f} s")
        size = await place.database.fetchval(
            "SELECT pg_size_pretty(pg_database_size(current_database()))"
        )
        alerts = wanted.incidents * wanted.alerts_each
        say(f"{wanted.incidents:,} incidents, {alerts:,} alerts: {size}")
        await measure(place, people, now - timedelta(seconds=15 * wanted.incidents))


async def measure(place: Place, people: People, middle: datetime) -> None:
    """Print how long each list takes, and its plan."""
    ids = {
        "large_team": str(people.services[0][1]),
        "small_team": str(people.services[MEMBER_OF][1]),
        "large_service": str(people.services[0][0]),
        "small_service": str(people.services[MEMBER_OF][0]),
        "silent_service": str(people.services[-1][0]),
        "user": str(people.users[7]),
        "integration": str(await place.database.fetchval("SELECT id FROM integrations")),
        "day": middle.isoformat(),
        "day_after": (middle + timedelta(days=1)).isoformat(),
    }
    teams = [ids["small_team"], str(people.services[MEMBER_OF + 1][1])]
    async with place.transactions.open() as tx:
        every = await factories.make_api_key(tx, scopes=["read"])
        own = await factories.make_api_key(tx, scopes=["read"], team_ids=teams)
    for path, lists in LISTS.items():
        say(f"\n| {path} | ms | with the key of two teams | found | by | reads whole |")
        say("|---|---|---|---|---|---|")
        for name, params in lists.items():
            asked = filled_in(params, ids)
            times, counts = [], []
            indexes: set[str] = set()
            whole: set[str] = set()
            for key in (every, own):
                headers = {"Authorization": f"Bearer {key}"}
                ms, least, found = await time_list(place.api, path, asked, headers)
                times.append(f"{ms:.1f} (least {least:.1f})")
                counts.append(found)
                used, read = await find_plan(place, path, asked, headers)
                indexes, whole = indexes | used, whole | read
            by = ", ".join(sorted(indexes))
            say(f"| {name} | {' | '.join(times)} | {counts[0]} | {by} | {', '.join(whole)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--incidents", type=int, default=1_000_000)
    parser.add_argument("--alerts-each", type=int, default=5)
    wanted = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o711)  # root runs PostgreSQL as somebody else
        asyncio.run(run(wanted, Path(directory)))


if __name__ == "__main__":
    main()
