"""Read the stored episodes that incoming alerts are about, and write what was decided of them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from incident_service.alerts.dedup import Episode, History
from incident_service.alerts.models import Alert, AlertStatus
from incident_service.core.bulk import insert_rows
from incident_service.core.db import Overtaken, Tx

Identity = tuple[UUID, str]
"""Integration id and the sender's fingerprint."""
IN_LOCK_ORDER = (Alert.integration_id, Alert.fingerprint, Alert.starts_at)

# For each identity: the firing episode, the one with the same start, the newest one. Locked in
# the declared order.
RELATED = text("""
    SELECT a.id
    FROM unnest(
        CAST(:integration_ids AS uuid[]), CAST(:fingerprints AS text[]),
        CAST(:starts AS timestamptz[])
    ) AS u (integration_id, fingerprint, starts)
    JOIN alerts a USING (integration_id, fingerprint)
    WHERE a.status = 'firing'
       OR a.starts_at = u.starts
       OR a.starts_at = (
            SELECT max(n.starts_at) FROM alerts n
            WHERE n.integration_id = u.integration_id AND n.fingerprint = u.fingerprint)
""")


ASSIGN = """
    UPDATE alerts SET incident_id = u.incident_id
    FROM unnest($1::uuid[], $2::uuid[]) AS u (alert_id, incident_id)
    WHERE alerts.id = u.alert_id
"""


@dataclass(slots=True)
class Stored:
    """The stored episodes of one identity, as rows."""

    rows: list[Alert] = field(default_factory=list)

    def history(self, starts_at: datetime | None) -> History:
        """Describe the rows for a decision about an alert that starts at `starts_at`."""
        if not self.rows:
            return History()
        return History(
            firing=self._episode(row.status is AlertStatus.FIRING for row in self.rows),
            same_start=self._episode(row.starts_at == starts_at for row in self.rows),
            newest=describe(max(self.rows, key=lambda row: row.starts_at)),
        )

    def _episode(self, wanted: Iterable[bool]) -> Episode | None:
        for row, is_wanted in zip(self.rows, wanted, strict=True):
            if is_wanted:
                return describe(row)
        return None

    def row(self, episode: Episode) -> Alert:
        """Return the row behind an episode: within an identity the start is unique."""
        return next(row for row in self.rows if row.starts_at == episode.starts_at)


def describe(row: Alert) -> Episode:
    """Describe a row for a decision."""
    return Episode(
        starts_at=row.starts_at,
        first_received_at=row.first_received_at,
        is_firing=row.status is AlertStatus.FIRING,
        fired=row.fired_at is not None,
        resolved_at=row.resolved_at,
        refire_at=row.refire_at,
    )


async def lock_related(
    session: AsyncSession, wanted: Sequence[tuple[UUID, str, datetime | None]]
) -> dict[Identity, Stored]:
    """Lock the episodes that matter to alerts given as (integration, fingerprint, start)."""
    await session.flush()
    ids = await session.scalars(
        RELATED,
        {
            "integration_ids": [integration_id for integration_id, _, _ in wanted],
            "fingerprints": [fingerprint for _, fingerprint, _ in wanted],
            "starts": [starts_at for _, _, starts_at in wanted],
        },
    )
    rows = await session.scalars(
        select(Alert)
        .where(Alert.id.in_(ids.all()))
        .order_by(*IN_LOCK_ORDER)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    stored: dict[Identity, Stored] = defaultdict(Stored)
    for row in rows:
        stored[row.integration_id, row.fingerprint].rows.append(row)
    return stored


async def supersede(tx: Tx, ended: Sequence[tuple[Alert, datetime]]) -> None:
    """End firing episodes, so that their successors can fire."""
    if ended:
        await tx.session.execute(
            update(Alert),
            [
                {
                    "id": row.id,
                    "status": AlertStatus.RESOLVED,
                    "ends_at": ends_at,
                    "stale_at": None,
                }
                for row, ends_at in ended
            ],
        )


async def add_episodes(tx: Tx, rows: Sequence[dict[str, Any]]) -> None:
    """Insert new episodes.

    Changed episodes must not have been written yet. To somebody whose snapshot is older they are
    new: that insert would wait for us while we wait for what it has inserted before. Rows that
    are merely locked let it pass.

    Raises:
        Overtaken: another transaction stored one of them first.
    """
    in_order = sorted(rows, key=lambda row: (row["integration_id"], row["fingerprint"]))
    made = await insert_rows(tx.session, Alert, in_order, otherwise="ON CONFLICT DO NOTHING")
    if len(made) < len(rows):
        raise Overtaken


async def assign(tx: Tx, incident_ids: dict[UUID, UUID]) -> None:
    """Attach episodes to incidents: alert id → incident id."""
    if incident_ids:
        connection = await tx.session.connection()
        await connection.exec_driver_sql(ASSIGN, (list(incident_ids), list(incident_ids.values())))
