"""What must be so once everything has come to rest."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
from benchmarks.chaos.plan import Kind
from benchmarks.chaos.senders import Tally
from benchmarks.chaos.servers import Servers
from tests.chaos import promises
from tests.chaos.promises import Heard
from tests.receiver import WebhookReceiver

from incident_service.core.stopping import stops_within

LOOK_EVERY_S = 0.5

CLIMBING = """
    SELECT count(*) FROM escalation_jobs
    WHERE kind = 'step' AND NOT completed AND cancelled_at IS NULL
"""
# At rest, whoever is still open has been through all of the plan.
NOT_CLIMBED = """
    SELECT format('P4: incident %s is open and stopped at %s/%s', number,
                  current_repeat, current_level)
    FROM incidents WHERE status = 'OPEN' AND NOT is_quiet AND exhausted_at IS NULL
"""
WENT_ON = """
    SELECT DISTINCT e.incident_id
    FROM unnest($1::uuid[], $2::timestamptz[]) AS answer (incident_id, answered_at)
    JOIN incident_events e ON e.incident_id = answer.incident_id
    WHERE e.at > answered_at AND e.kind IN ('reopened', 'unacknowledged', 'escalated', 'restarted')
"""
LATENESS = """
    SELECT executed_at, extract(epoch FROM executed_at - scheduled_for)::float8 AS late_s
    FROM escalation_jobs WHERE kind = 'step' AND completed AND executed_at > scheduled_for
"""
COUNTS = """
    SELECT (SELECT count(*) FROM alerts) AS episodes,
           (SELECT count(*) FROM incidents) AS incidents,
           (SELECT count(*) FROM escalation_jobs WHERE kind = 'step' AND completed) AS steps,
           (SELECT count(*) FROM pages WHERE status = 'sent') AS pages,
           (SELECT count(*) FROM pages WHERE status = 'failed') AS failed
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found: violations in words, counts by name, and the worst lateness after a kind."""

    violations: list[str]
    counts: dict[str, int]
    worst_late_s: dict[Kind | None, float]


async def come_to_rest(servers: Servers, within_s: float) -> list[str]:
    """Wait until nothing is due and nobody climbs; return what is left undone."""
    connection = await servers.connect()
    give_up_at_s = asyncio.get_running_loop().time() + within_s
    try:
        while True:
            now = datetime.now(UTC)  # noqa: TID251 - PostgreSQL runs on this machine
            undone = await promises.unfinished(connection, now)
            climbing = await connection.fetchval(CLIMBING)
            if not undone and not climbing:
                return []
            if asyncio.get_running_loop().time() > give_up_at_s:
                return undone or [f"P7: {climbing} steps are still to come"]
            await stops_within(asyncio.Event(), LOOK_EVERY_S)
    finally:
        await connection.close()


async def examine(
    servers: Servers,
    tally: Tally,
    answered: Mapping[UUID, datetime],
    receiver: WebhookReceiver,
    happened: Sequence[tuple[datetime, Kind]],
) -> Outcome:
    """Look for broken promises in the database, and in what senders and receivers saw."""
    connection = await servers.connect()
    try:
        held = await last_words(connection, answered)
        heard = [
            Heard(item.key, tuple(incident["id"] for incident in item.page["incidents"]))
            for item in receiver.received
        ]
        violations = [
            *await promises.broken(connection),
            *await promises.not_stored(connection, sorted(tally.stored)),
            *await promises.paged_after(connection, held),
            *await promises.misheard(connection, heard),
            *two_receivers(receiver),
            *[row[0] for row in await connection.fetch(NOT_CLIMBED)],
        ]
        lateness = [(row["executed_at"], row["late_s"]) for row in await connection.fetch(LATENESS)]
        counts = dict(await connection.fetchrow(COUNTS))
    finally:
        await connection.close()
    return Outcome(
        violations,
        {**counts, "deliveries": len(heard), "answered": tally.answered, "held": len(held)},
        worst_lateness(lateness, happened),
    )


async def last_words(
    connection: asyncpg.Connection, answered: Mapping[UUID, datetime]
) -> dict[UUID, datetime]:
    """Return those answers after which the incident stayed answered: no new alert reopened it."""
    rows = await connection.fetch(WENT_ON, list(answered), list(answered.values()))
    went_on = {row["incident_id"] for row in rows}
    return {key: at for key, at in answered.items() if key not in went_on}


def two_receivers(receiver: WebhookReceiver) -> list[str]:
    """P8: a key belongs to one page, and a page to one address."""
    paths: dict[str, set[str]] = {}
    for item in receiver.received:
        paths.setdefault(item.key, set()).add(item.path)
    return [f"P8: key {key} went to {sorted(to)}" for key, to in paths.items() if len(to) > 1]


def worst_lateness(
    lateness: Sequence[tuple[datetime, float]], happened: Sequence[tuple[datetime, Kind]]
) -> dict[Kind | None, float]:
    """Return the worst lateness of the steps taken after each kind of fault, until the next fault.

    None stands for the time before the first one.
    """
    worst: dict[Kind | None, float] = {}
    for executed_at, late_s in lateness:
        before = [kind for at, kind in happened if at <= executed_at]
        kind = before[-1] if before else None
        worst[kind] = max(worst.get(kind, 0.0), late_s)
    return worst
