"""Let episodes fire again whose hold is over and which no other resolve has ended."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

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
    past = await overtaken(tx.session, rows)
    folding = Folding(tx, services)
    for row in rows:
        row.refire_at = None
        if row.id in past:
            continue
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


async def overtaken(session: AsyncSession, rows: Sequence[Alert]) -> set[UUID]:
    """Return which of the rows are history: their alert fires, or began again later.

    That it has ended once more makes no difference, as for a firing that comes late (`dedup`).
    """
    other = aliased(Alert)
    found = await session.scalars(
        select(Alert.id)
        .join(
            other,
            and_(
                other.integration_id == Alert.integration_id,
                other.fingerprint == Alert.fingerprint,
                or_(other.status == AlertStatus.FIRING, other.starts_at > Alert.starts_at),
            ),
        )
        .where(Alert.id.in_([row.id for row in rows]))
    )
    return set(found)
