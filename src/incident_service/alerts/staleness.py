"""Mark firing episodes that their sender has not repeated for long, and end them where asked.

Absence alone is not an end: the sender may be down, or cut off. A service that wants stale
episodes resolved gets that only once the sender has been heard of again, `HEARD_AFTER` later, so
that it had time to repeat this one too.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select

from incident_service.alerts.episodes import IN_LOCK_ORDER
from incident_service.alerts.fold import Folding
from incident_service.alerts.ingest import end
from incident_service.alerts.models import Alert, AlertStatus
from incident_service.catalog.models import Integration, Service
from incident_service.catalog.queries import load_services
from incident_service.core.db import Transactions, Tx
from incident_service.core.due import DueRows
from incident_service.incidents.locks import lock
from incident_service.response import arrivals

HEARD_AFTER = timedelta(minutes=10)
"""Longer than Alertmanager's usual `group_interval`, after which it sends again what failed."""
SWEEP_EVERY_S = 30.0


def silent_alerts(transactions: Transactions) -> DueRows:
    """Return the firing episodes that are silent for too long, for the reconciler."""
    return DueRows("silent_alerts", transactions, find_silent, mark, not_at_an_instant)


def stale_alerts(transactions: Transactions) -> DueRows:
    """Return the marked episodes that may be ended, for the reconciler."""
    return DueRows("stale_alerts", transactions, find_ended, end_stale, not_at_an_instant)


async def not_at_an_instant(_tx: Tx) -> datetime | None:
    """Looking every `SWEEP_EVERY_S` is punctual enough for what is measured in minutes."""
    return None


async def find_silent(tx: Tx, resting: Collection[UUID], limit: int) -> Sequence[UUID]:
    """Lock the episodes to mark; those that a webhook works on are passed over."""
    silent_for = func.make_interval(0, 0, 0, 0, 0, Service.stale_after_minutes)
    return await lock_firing(
        tx, resting, limit, Alert.stale_at.is_(None), Alert.last_received_at <= tx.now - silent_for
    )


async def find_ended(tx: Tx, resting: Collection[UUID], limit: int) -> Sequence[UUID]:
    """Lock the episodes to end; those that a webhook works on are passed over."""
    heard = Integration.last_heard_at >= Alert.stale_at + HEARD_AFTER
    return await lock_firing(tx, resting, limit, Service.resolve_stale.is_(True), heard)


async def lock_firing(
    tx: Tx, resting: Collection[UUID], limit: int, *conditions: ColumnElement[bool]
) -> Sequence[UUID]:
    """Lock firing episodes of the services that say how long one may be silent."""
    watched = select(Service.id).where(Service.stale_after_minutes.is_not(None))
    rows = await tx.session.scalars(
        select(Alert.id)
        .join(Service, Service.id == Alert.service_id)
        .join(Integration, Integration.id == Alert.integration_id)
        .where(
            Alert.status == AlertStatus.FIRING,
            Alert.service_id.in_(watched),
            Alert.id.not_in(resting),
            *conditions,
        )
        .order_by(*IN_LOCK_ORDER)
        .limit(limit)
        .with_for_update(of=Alert, skip_locked=True)
    )
    return rows.all()


async def mark(tx: Tx, alert_ids: Sequence[UUID]) -> int:
    """Mark the episodes as stale, and say so on the timelines of their active incidents."""
    rows = (await tx.session.scalars(still_firing(alert_ids, Alert.stale_at.is_(None)))).all()
    of_incident: dict[UUID, list[str]] = defaultdict(list)
    for row in rows:
        row.stale_at = tx.now
        if row.incident_id is not None:
            of_incident[row.incident_id].append(row.fingerprint)
    for incident in (await lock(tx.session, of_incident.keys())).values():
        if incident.status.is_active:
            arrivals.note_stale(tx, incident, of_incident[incident.id])
    await tx.flush()
    return len(rows)


async def end_stale(tx: Tx, alert_ids: Sequence[UUID]) -> int:
    """End the episodes; an incident whose last one this is becomes resolved."""
    rows = (await tx.session.scalars(still_firing(alert_ids, Alert.stale_at.is_not(None)))).all()
    services = await load_services(tx.session, {row.service_id for row in rows})
    folding = Folding(tx, services, why_ended="its sender repeats other alerts but no longer this")
    for row in rows:
        end(row, tx.now, tx.now)
        folding.ended(row)
    await tx.flush()
    await folding.fold()
    return len(rows)


def still_firing(alert_ids: Sequence[UUID], condition: ColumnElement[bool]) -> Select[Alert]:
    """Lock and read those of the episodes that no webhook has ended or repeated meanwhile."""
    return (
        select(Alert)
        .where(Alert.id.in_(alert_ids), Alert.status == AlertStatus.FIRING, condition)
        .order_by(*IN_LOCK_ORDER)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
