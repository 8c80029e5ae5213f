"""Note that known alerts fire on: the bulk of what comes in, and nothing else to do about it.

One statement for any number of them, which is a transaction of its own. It first looks whether
their senders still are what they were found to be. It touches no incident: whatever else an alert
may mean is left to `ingest`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from incident_service.alerts.incoming import IncomingAlert
from incident_service.alerts.senders import HEARD_TO_THE, Sender
from incident_service.core.compact_json import dumps
from incident_service.core.db import Transactions

# Rows are locked in the declared order before any is changed. What is repeated while its incident
# is over may open another one, so it is not merely a repeat.
NOTE = """
    WITH senders AS MATERIALIZED (
        SELECT s.place, s.integration_id,
            i.last_heard_at IS NULL OR i.last_heard_at <= $11 AS is_heard_anew,
            coalesce(
                i.is_enabled AND (i.service_id, i.kind, i.rules_version)
                    = (s.service_id, s.kind, s.rules_version)
                AND (i.key_digest = s.key_digest OR (
                    i.previous_key_digest = s.key_digest AND i.previous_key_expires_at > $10)),
                FALSE
            ) AS is_current
        FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::int[]) WITH ORDINALITY
            AS s (integration_id, service_id, kind, key_digest, rules_version, place)
        LEFT JOIN integrations i ON i.id = s.integration_id
    ), sent AS MATERIALIZED (
        SELECT senders.place, senders.integration_id, s.*
        FROM unnest($6::int[], $7::text[], $8::timestamptz[], $9::text[], $12::int[])
            AS s (sender, fingerprint, starts_at, annotations, times)
        JOIN senders ON senders.place = s.sender AND senders.is_current
    ), known AS MATERIALIZED (
        SELECT a.id, sent.place, sent.annotations, sent.times
        FROM sent
        JOIN alerts a USING (integration_id, fingerprint, starts_at)
        JOIN incidents i ON i.id = a.incident_id
        WHERE a.status = 'firing' AND i.status IN ('OPEN', 'ACKNOWLEDGED')
        ORDER BY a.integration_id, a.fingerprint, a.starts_at
        FOR UPDATE OF a
    ), noted AS (
        UPDATE alerts
        SET received_count = received_count + known.times,
            last_received_at = $10,
            stale_at = NULL,
            annotations = known.annotations::jsonb
        FROM known
        WHERE alerts.id = known.id
        RETURNING known.place, alerts.fingerprint, alerts.incident_id
    )
    SELECT senders.place, senders.is_current, senders.is_heard_anew,
        noted.fingerprint, noted.incident_id
    FROM senders LEFT JOIN noted USING (place)
"""


@dataclass(slots=True)
class Sent:
    """What came together of one alert of a sender: the last of it, and how often it came."""

    alert: IncomingAlert
    times: int = 1
    is_plain: bool = True


@dataclass(slots=True)
class Noted:
    """What became of a sender's alerts: the incident of each that was merely repeated.

    Nothing became of an outdated sender's. One that is heard anew was not heard of for a minute.
    """

    incidents: dict[str, UUID]
    is_current: bool
    is_heard_anew: bool


def gather(alerts: Iterable[IncomingAlert]) -> dict[str, Sent]:
    """Return what may be mere repeats among a sender's alerts, by fingerprint. Pure.

    That are those of which nothing is sent but the same firing episode: with anything else, the
    order counts.
    """
    found: dict[str, Sent] = {}
    for alert in alerts:
        known = found.get(alert.fingerprint)
        if known is None:
            is_plain = alert.firing and alert.starts_at is not None
            found[alert.fingerprint] = Sent(alert, 1, is_plain)
        else:
            known.times += 1
            known.is_plain &= alert.firing and alert.starts_at == known.alert.starts_at
            known.alert = alert
    return {fingerprint: sent for fingerprint, sent in found.items() if sent.is_plain}


def parameters(
    senders: Sequence[Sender], sent: Sequence[Mapping[str, Sent]], now: datetime
) -> tuple[Any, ...]:
    """Return the parameters of `NOTE`; `sent` is of each sender. Pure."""
    entries = [
        (place, fingerprint, each)
        for place, of_sender in enumerate(sent, start=1)
        for fingerprint, each in of_sender.items()
    ]
    return (
        [sender.integration_id for sender in senders],
        [sender.service_id for sender in senders],
        [sender.kind.value for sender in senders],
        [sender.key_digest for sender in senders],
        [sender.rules_version for sender in senders],
        [place for place, _, _ in entries],
        [fingerprint for _, fingerprint, _ in entries],
        [each.alert.starts_at for _, _, each in entries],
        [dumps(each.alert.annotations) for _, _, each in entries],
        now,
        now - HEARD_TO_THE,
        [each.times for _, _, each in entries],
    )


async def note_repeats(
    transactions: Transactions, senders: Sequence[Sender], sent: Sequence[Mapping[str, Sent]]
) -> list[Noted]:
    """Note what repeats a firing episode of an active incident; `sent` is of each sender."""
    rows = await transactions.fetch(lambda now: parameters(senders, sent, now), NOTE)
    noted: dict[int, Noted] = {}
    for row in rows:
        found = noted.get(row.place)
        if found is None:
            found = noted[row.place] = Noted({}, row.is_current, row.is_heard_anew)
        if row.fingerprint is not None:
            found.incidents[row.fingerprint] = row.incident_id
    return [noted[place] for place in range(1, len(senders) + 1)]
