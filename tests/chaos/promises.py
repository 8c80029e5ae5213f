"""What the database must look like if the promises were kept, as SQL that finds where it does not.

Each query returns one text a violation. Those of `ALWAYS` hold between any two commits, those of
`IN_THE_END` once nothing is due any more. What only the outside knows, such as which alerts were
answered with 2xx and which pages a receiver got, is passed in.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession


class Connection(Protocol):
    """A connection of asyncpg."""

    async def fetch(self, query: str, *arguments: Any) -> list[Any]: ...


Source = Connection | AsyncSession

# Events after which nobody is to be paged, and those that let the climb go on.
HOLDS = "('acknowledged', 'resolved', 'closed', 'snoozed', 'maintenance_held')"
GOES_ON = """('opened', 'reopened', 'unacknowledged', 'acknowledge_timed_out', 'escalated',
              'restarted', 'reassigned', 'snooze_ended', 'maintenance_ended')"""
PAGES = "('paged', 'assignee_paged', 'exhausted', 'reminded', 'nobody_to_page')"
PENDING = "NOT j.completed AND j.cancelled_at IS NULL"

ALWAYS: Mapping[str, str] = {
    "P2: one active incident a key": """
        SELECT format('key %s of service %s has %s active incidents',
                      fingerprint, service_id, count(*))
        FROM incidents WHERE status IN ('OPEN', 'ACKNOWLEDGED')
        GROUP BY service_id, fingerprint HAVING count(*) > 1
    """,
    "P2: one row an episode, one firing episode an alert": """
        SELECT format('alert %s has %s firing episodes and %s of the same start',
                      fingerprint, count(*) FILTER (WHERE status = 'firing'),
                      count(*) - count(DISTINCT starts_at))
        FROM alerts GROUP BY integration_id, fingerprint
        HAVING count(*) FILTER (WHERE status = 'firing') > 1
            OR count(*) <> count(DISTINCT starts_at)
    """,
    "P2: an incident counts its episodes": """
        SELECT format('incident %s counts %s alerts, %s firing, and has %s, %s firing',
                      i.number, i.alert_count, i.firing_count, count(a.id),
                      count(a.id) FILTER (WHERE a.status = 'firing'))
        FROM incidents i LEFT JOIN alerts a ON a.incident_id = i.id
        GROUP BY i.id
        HAVING i.alert_count <> count(a.id)
            OR i.firing_count <> count(a.id) FILTER (WHERE a.status = 'firing')
    """,
    "P2: what fires has an incident that alerts did not end": """
        SELECT format('alert %s fires, its incident %s is %s', a.fingerprint,
                      coalesce(i.number::text, '(none)'), coalesce(i.status, 'missing'))
        FROM alerts a LEFT JOIN incidents i ON i.id = a.incident_id
        WHERE a.status = 'firing' AND (i.id IS NULL OR i.resolved_by = 'alerts')
    """,
    "P3: OPEN waits for exactly one timer": f"""
        SELECT format('incident %s is %s%s and waits for %s timers%s', i.number, i.status,
                      CASE WHEN i.is_quiet THEN ' and quiet' ELSE '' END, count(j.id),
                      ' (' || string_agg(j.kind || ' of epoch ' || j.epoch, ', ') || ')')
        FROM incidents i LEFT JOIN escalation_jobs j ON j.incident_id = i.id AND {PENDING}
        GROUP BY i.id
        HAVING count(j.id) <> CASE
            WHEN i.status = 'OPEN' AND (NOT i.is_quiet OR i.snoozed_until IS NOT NULL) THEN 1
            WHEN i.status = 'ACKNOWLEDGED' AND NOT i.is_quiet
                 AND (i.escalation_plan ->> 'ack_timeout_minutes')::int > 0 THEN 1
            ELSE 0 END
    """,
    "P3: the timer is the one that it should wait for": f"""
        SELECT format('incident %s is %s in epoch %s and waits for %s of epoch %s',
                      i.number, i.status, i.escalation_epoch, j.kind, j.epoch)
        FROM incidents i JOIN escalation_jobs j ON j.incident_id = i.id AND {PENDING}
        WHERE j.epoch <> i.escalation_epoch OR j.kind <> ALL (CASE
            WHEN i.status = 'ACKNOWLEDGED' THEN ARRAY['ack_timeout']
            WHEN i.snoozed_until IS NOT NULL THEN ARRAY['snooze_end']
            WHEN i.maintenance_window_id IS NOT NULL THEN ARRAY['maintenance_end']
            WHEN i.exhausted_at IS NOT NULL THEN ARRAY['reminder']
            ELSE ARRAY['step', 'recheck'] END)
    """,
    "P3: only what climbs is held": """
        SELECT format('incident %s is %s%s%s, and held', number, status,
                      CASE WHEN is_quiet THEN ', quiet' ELSE '' END,
                      CASE WHEN snoozed_until IS NULL THEN '' ELSE ', snoozed' END)
        FROM incidents WHERE maintenance_window_id IS NOT NULL
          AND (status <> 'OPEN' OR is_quiet OR snoozed_until IS NOT NULL)
    """,
    "P4: a step takes effect once": """
        SELECT format('incident %s ran step %s/%s of epoch %s %s times', i.number,
                      j.scheduled_repeat, j.scheduled_level, j.epoch, count(*))
        FROM escalation_jobs j JOIN incidents i ON i.id = j.incident_id
        WHERE j.kind = 'step' AND j.completed
        GROUP BY i.id, j.epoch, j.scheduled_repeat, j.scheduled_level HAVING count(*) > 1
    """,
    "P4: steps and their events are the same": """
        SELECT format('incident %s: %s steps have paged, %s events say so',
                      i.number, ran.paged, said.paged)
        FROM incidents i
        CROSS JOIN LATERAL (
            SELECT count(*) AS paged FROM escalation_jobs j
            WHERE j.incident_id = i.id AND j.kind = 'step' AND j.outcome = 'paged') ran
        CROSS JOIN LATERAL (
            SELECT count(*) AS paged FROM incident_events e
            WHERE e.incident_id = i.id AND e.kind = 'paged') said
        WHERE ran.paged <> said.paged
    """,
    "P4: levels are climbed in order, none left out": """
        SELECT format('incident %s went from %s/%s to %s/%s in epoch %s',
                      i.number, s.repeat, s.level, s.next_repeat, s.next_level, s.epoch)
        FROM (
            SELECT incident_id, epoch, outcome, scheduled_repeat AS repeat,
                   scheduled_level AS level,
                   lead(scheduled_repeat) OVER climb AS next_repeat,
                   lead(scheduled_level) OVER climb AS next_level,
                   lead(outcome) OVER climb AS next_outcome,
                   lead(executed_at) OVER climb AS next_executed_at, executed_at
            FROM escalation_jobs WHERE kind = 'step' AND completed
            WINDOW climb AS (
                PARTITION BY incident_id, epoch ORDER BY scheduled_repeat, scheduled_level)
        ) s JOIN incidents i ON i.id = s.incident_id
        WHERE s.next_outcome <> 'nobody'
          AND ((s.next_repeat, s.next_level) NOT IN ((s.repeat, s.level + 1), (s.repeat + 1, 1))
               OR s.next_executed_at < s.executed_at)
    """,
    "P5: nobody is paged while somebody has it": f"""
        SELECT format('incident %s: event %s is %s, though it was %s before',
                      i.number, e.sequence, e.kind, before.kind)
        FROM incident_events e JOIN incidents i ON i.id = e.incident_id
        CROSS JOIN LATERAL (
            SELECT kind FROM incident_events b
            WHERE b.incident_id = e.incident_id AND b.sequence < e.sequence
              AND (b.kind IN {HOLDS} OR b.kind IN {GOES_ON})
            ORDER BY b.sequence DESC LIMIT 1) before
        WHERE e.kind IN {PAGES} AND before.kind IN {HOLDS}
    """,
    "P5: every page was asked for by an event": f"""
        SELECT format('incident %s: the page to %s of %s has no event',
                      i.number, n.contact_method_id, n.created_at)
        FROM notifications n JOIN incidents i ON i.id = n.incident_id
        WHERE n.kind = 'page' AND NOT EXISTS (
            SELECT FROM incident_events e WHERE e.incident_id = n.incident_id
              AND e.kind IN {PAGES} AND e.at = n.created_at)
    """,
    "P5: what was not handed to a channel is cancelled": """
        SELECT format('incident %s is %s in epoch %s%s, and a page of epoch %s is %s', i.number,
                      i.status, i.escalation_epoch,
                      CASE WHEN i.snoozed_until IS NULL THEN '' ELSE ', snoozed' END,
                      n.epoch, coalesce(p.status, n.status))
        FROM notifications n JOIN incidents i ON i.id = n.incident_id
        LEFT JOIN pages p ON p.id = n.page_id
        WHERE n.kind = 'page' AND (n.status = 'pending'
              OR n.status = 'sending' AND p.status = 'waiting')
          AND (i.status <> 'OPEN' OR n.epoch <> i.escalation_epoch OR i.snoozed_until IS NOT NULL
               OR i.maintenance_window_id IS NOT NULL)
    """,
    "P8: a page and its members agree": """
        SELECT format('a notification of incident %s is %s, its page is %s',
                      i.number, n.status, coalesce(p.status, 'missing'))
        FROM notifications n JOIN incidents i ON i.id = n.incident_id
        LEFT JOIN pages p ON p.id = n.page_id
        WHERE n.status <> 'cancelled' AND n.status <> CASE
            WHEN p.id IS NULL THEN 'pending'
            WHEN p.status IN ('sending', 'waiting') THEN 'sending'
            ELSE p.status END
    """,
    "P9: timelines have no gaps": """
        SELECT format('incident %s counts %s events and has %s, from %s to %s', i.number,
                      i.event_count, count(e.sequence), min(e.sequence), max(e.sequence))
        FROM incidents i LEFT JOIN incident_events e ON e.incident_id = i.id
        GROUP BY i.id
        HAVING count(e.sequence) <> i.event_count OR min(e.sequence) <> 1
            OR max(e.sequence) <> i.event_count OR count(e.sequence) = 0
    """,
    "P9: the timeline tells of every status": """
        SELECT format('incident %s is %s, its timeline ends with %s', i.number, i.status, last.kind)
        FROM incidents i
        CROSS JOIN LATERAL (
            SELECT kind FROM incident_events e
            WHERE e.incident_id = i.id AND e.kind IN (
                'opened', 'reopened', 'unacknowledged', 'acknowledge_timed_out', 'escalated',
                'restarted', 'reassigned', 'acknowledged', 'resolved', 'closed')
            ORDER BY sequence DESC LIMIT 1) last
        WHERE i.status <> CASE last.kind WHEN 'acknowledged' THEN 'ACKNOWLEDGED'
            WHEN 'resolved' THEN 'RESOLVED' WHEN 'closed' THEN 'CLOSED' ELSE 'OPEN' END
    """,
}

# $1 is the present instant.
IN_THE_END: Mapping[str, str] = {
    "P7: no timer is left behind": f"""
        SELECT format('incident %s: %s was due at %s', i.number, j.kind, j.scheduled_for)
        FROM escalation_jobs j JOIN incidents i ON i.id = j.incident_id
        WHERE {PENDING} AND j.scheduled_for <= $1
    """,
    "P7: no held alert is left behind": """
        SELECT format('alert %s was held until %s', fingerprint, refire_at)
        FROM alerts WHERE refire_at <= $1
    """,
    "P8: everybody was told": """
        SELECT format('incident %s: a page to %s, due at %s, is %s',
                      i.number, n.contact_method_id, n.due_at, n.status)
        FROM notifications n JOIN incidents i ON i.id = n.incident_id
        WHERE n.status IN ('pending', 'sending') AND n.due_at <= $1
    """,
    "P8: no page is left behind": """
        SELECT format('page %s is %s after %s attempts', id, status, attempts)
        FROM pages WHERE status IN ('sending', 'waiting')
    """,
}

NOT_STORED = """
    SELECT format('%s, which began at %s, was answered with 2xx and is not stored', name, began_at)
    FROM unnest($1::text[], $2::timestamptz[]) AS sent (name, began_at)
    WHERE NOT EXISTS (SELECT FROM alerts
                      WHERE labels ->> 'alertname' = name AND starts_at = began_at)
"""

PAGED_AFTER = """
    SELECT format('incident %s was answered at %s, and a page was made at %s',
                  i.number, answered_at, n.created_at)
    FROM unnest($1::uuid[], $2::timestamptz[]) AS answer (incident_id, answered_at)
    JOIN incidents i ON i.id = incident_id
    JOIN notifications n USING (incident_id)
    LEFT JOIN pages p ON p.id = n.page_id
    WHERE n.kind = 'page' AND greatest(n.created_at, p.created_at) > answered_at
"""

MEMBERS = """
    SELECT p.id, p.status, array_remove(array_agg(n.incident_id), NULL) AS incident_ids
    FROM pages p LEFT JOIN notifications n ON n.page_id = p.id GROUP BY p.id
"""


@dataclass(frozen=True, slots=True)
class Heard:
    """One delivery as a receiver saw it: its idempotency key, and what it told of."""

    key: str
    incident_ids: tuple[str, ...]


async def broken(source: Source) -> list[str]:
    """Return what contradicts the promises in what is committed; empty when all is well."""
    return await find(source, ALWAYS)


async def unfinished(source: Source, now: datetime) -> list[str]:
    """Return what should have been done by `now`; empty once everything is at rest."""
    return await find(source, IN_THE_END, now)


async def not_stored(source: Source, answered: Collection[tuple[str, datetime]]) -> list[str]:
    """P1: return which alerts, as (alertname, start), were answered with 2xx and are not there."""
    columns = [[name for name, _ in answered], [began_at for _, began_at in answered]]
    return await find(source, {"P1: a 2xx is stored": NOT_STORED}, *columns)


async def paged_after(source: Source, answered: Mapping[UUID, datetime]) -> list[str]:
    """P5: return which incidents were paged after an answer, by its instant, that ended them.

    The instant is one at which the responder had the 2xx already, by PostgreSQL's clock. For
    incidents that stay acknowledged or resolved from then on.
    """
    columns = [list(answered.keys()), list(answered.values())]
    return await find(source, {"P5: answered is answered": PAGED_AFTER}, *columns)


async def misheard(source: Source, heard: Iterable[Heard]) -> list[str]:
    """P8: compare the pages with what the receivers of all of them got, once all is at rest."""
    connection = await driver_of(source)
    pages = {str(row["id"]): row for row in await connection.fetch(MEMBERS)}
    told: dict[str, set[str]] = {}
    for delivery in heard:
        told.setdefault(delivery.key, set()).update(delivery.incident_ids)
    found = [f"P8: the key {key} is no page's" for key in told if key not in pages]
    for key, row in pages.items():
        members = {str(incident_id) for incident_id in row["incident_ids"]}
        if row["status"] == "sent" and key not in told:
            found.append(f"P8: page {key} counts as sent, and nobody got it")
        found += [
            f"P8: page {key} told of incident {stranger}, which is not in it"
            for stranger in told.get(key, set()) - members
        ]
    return found


async def find(source: Source, queries: Mapping[str, str], *arguments: Any) -> list[str]:
    """Run the queries in one round trip; return what they found under their names."""
    connection = await driver_of(source)
    parts = [
        f"SELECT {number}, found.words FROM ({query}) AS found (words)"
        for number, query in enumerate(queries.values())
    ]
    names = list(queries)
    rows = await connection.fetch(" UNION ALL ".join(parts), *arguments)
    return [f"{names[number]}: {words}" for number, words in rows]


async def driver_of(source: Source) -> Connection:
    """Return the connection of asyncpg behind a session."""
    if not isinstance(source, AsyncSession):
        return source
    raw = await (await source.connection()).get_raw_connection()
    driver: Connection = raw.driver_connection  # type: ignore[assignment]  # None once closed
    return driver
