"""Note that known alerts fire on: the bulk of what comes in, and nothing else to do about it.

One statement for any number of them. It touches no incident: whatever else an alert may mean is
left to `ingest`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from incident_service.alerts.incoming import IncomingAlert
from incident_service.core.compact_json import dumps
from incident_service.core.db import Tx

Value = TypeVar("Value")

# Rows are locked in the declared order before any is changed. What is repeated while its incident
# is over may open another one, so it is not merely a repeat.
NOTE = """
    WITH sent AS MATERIALIZED (
        SELECT * FROM unnest(
            $1::uuid[], $2::text[], $3::timestamptz[], $4::text[], $5::int[]
        ) AS s (integration_id, fingerprint, starts_at, annotations, times)
    ), known AS MATERIALIZED (
        SELECT a.id, s.annotations, s.times
        FROM sent s
        JOIN alerts a USING (integration_id, fingerprint, starts_at)
        JOIN incidents i ON i.id = a.incident_id
        WHERE a.status = 'firing' AND i.status IN ('OPEN', 'ACKNOWLEDGED')
        ORDER BY a.integration_id, a.fingerprint, a.starts_at
        FOR UPDATE OF a
    )
    UPDATE alerts
    SET received_count = received_count + known.times,
        last_received_at = $6,
        stale_at = NULL,
        annotations = known.annotations::jsonb
    FROM known
    WHERE alerts.id = known.id
    RETURNING alerts.integration_id, alerts.fingerprint, alerts.incident_id
"""


@dataclass(slots=True)
class Sent:
    """What one transaction has of an alert of a sender: the last one, and how often it came."""

    alert: IncomingAlert
    times: int = 1
    is_plain: bool = True


ByAlert = Mapping[UUID, Mapping[str, Value]]
"""By integration, then by fingerprint."""


def gather(alerts: Iterable[tuple[UUID, Iterable[IncomingAlert]]]) -> ByAlert[Sent]:
    """Return what may be mere repeats, each alert of an integration once. Pure.

    That are those of which nothing is sent but the same firing episode: with anything else, the
    order counts.
    """
    found: dict[UUID, dict[str, Sent]] = defaultdict(dict)
    for integration_id, sent in alerts:
        of_integration = found[integration_id]
        for alert in sent:
            known = of_integration.get(alert.fingerprint)
            if known is None:
                is_plain = alert.firing and alert.starts_at is not None
                of_integration[alert.fingerprint] = Sent(alert, 1, is_plain)
            else:
                known.times += 1
                known.is_plain &= alert.firing and alert.starts_at == known.alert.starts_at
                known.alert = alert
    return {
        integration_id: {name: sent for name, sent in of_integration.items() if sent.is_plain}
        for integration_id, of_integration in found.items()
    }


async def note_repeats(tx: Tx, sent: ByAlert[Sent]) -> ByAlert[UUID]:
    """Note those that repeat a firing episode of an active incident; return the incidents."""
    entries = [
        (integration_id, fingerprint, each)
        for integration_id, of_integration in sent.items()
        for fingerprint, each in of_integration.items()
    ]
    if not entries:
        return {}
    connection = await tx.session.connection()
    rows = await connection.exec_driver_sql(
        NOTE,
        (
            [integration_id for integration_id, _, _ in entries],
            [fingerprint for _, fingerprint, _ in entries],
            [each.alert.starts_at for _, _, each in entries],
            [dumps(each.alert.annotations) for _, _, each in entries],
            [each.times for _, _, each in entries],
            tx.now,
        ),
    )
    noted: dict[UUID, dict[str, UUID]] = {integration_id: {} for integration_id in sent}
    for row in rows:
        noted[row.integration_id][row.fingerprint] = row.incident_id
    return noted
