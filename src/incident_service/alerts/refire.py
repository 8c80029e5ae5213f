"""Let episodes fire again whose hold is over and which no other resolve has ended."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from incident_service.alerts.episodes import IN_LOCK_ORDER
from incident_service.alerts.fold import Arriving, Folding
from incident_service.alerts.ingest import Outcome
from incident_service.alerts.models import Alert, AlertStatus
from incident_service.catalog.queries import load_services
from incident_service.core.db import Transactions, Tx
from incident_service.core.due import DueRows


def held_alerts(transactions: Transactions) -> DueRows:
    """Return the held firings whose time has come to be believed, for the reconciler."""
    return DueRows("held_alerts", transactions, find_due, refire, next_due)


async def find_due(tx: Tx, resting: Collection[UUID], limit: int) -> Sequence[UUID]:
    """Lock held episodes that are due; those that a webhook works on are passed over."""
    rows = await tx.session.scalars(
        select(Alert.id)
        .where(Alert.refire_at <= tx.now, Alert.id.not_in(resting))
        .order_by(*IN_LOCK_ORDER)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return rows.all()


async def next_due(tx: Tx) -> datetime | None:
    """Return when the next hold is over."""
    found: datetime | None = await tx.session.scalar(
        select(func.min(Alert.refire_at)).where(Alert.refire_at > tx.now)
    )
    return found


async def refire(tx: Tx, alert_ids: Sequence[UUID]) -> int:
    """Fire those of the episodes that are still held; they meet their incidents as new ones do."""
    rows = await lock_held(tx, alert_ids)
    services = await load_services(tx.session, {row.service_id for row in rows})
    firing = await identities_firing(tx.session, rows)
    folding = Folding(tx, services)
    for row in rows:
        row.refire_at = None
        if (row.integration_id, row.fingerprint) in firing:
            continue  # a newer episode fires: this one is history
        firing.add((row.integration_id, row.fingerprint))
        row.status = AlertStatus.FIRING
        row.ends_at = None
        row.resolved_at = None
        folding.arrived(Arriving.of(row), Outcome(row.fingerprint))
    await tx.flush()
    await folding.fold()
    return len(rows)


async def lock_held(tx: Tx, alert_ids: Sequence[UUID]) -> Sequence[Alert]:
    """Lock and read those of the episodes that are held and due."""
    rows = await tx.session.scalars(
        select(Alert)
        .where(Alert.id.in_(alert_ids), Alert.refire_at <= tx.now)
        .order_by(*IN_LOCK_ORDER)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return rows.all()


async def identities_firing(session: AsyncSession, rows: Sequence[Alert]) -> set[tuple[UUID, str]]:
    """Return which of the rows' identities have a firing episode already."""
    found = await session.execute(
        select(Alert.integration_id, Alert.fingerprint).where(
            Alert.status == AlertStatus.FIRING,
            Alert.integration_id.in_({row.integration_id for row in rows}),
            Alert.fingerprint.in_({row.fingerprint for row in rows}),
        )
    )
    return {(row.integration_id, row.fingerprint) for row in found}
