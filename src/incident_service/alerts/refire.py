"""Let episodes fire again whose hold is over and which no other resolve has ended."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from incident_service.alerts.fold import Folding
from incident_service.alerts.ingest import Outcome
from incident_service.alerts.models import Alert, AlertStatus
from incident_service.catalog.queries import load_services
from incident_service.core.db import Transactions, Tx

BATCH = 100


async def refire_due(transactions: Transactions) -> int:
    """Believe the held firings whose time has come; return how many."""
    return await transactions.run(refire)


async def refire(tx: Tx) -> int:
    """Fire a batch of held episodes; they meet their incidents as new ones do."""
    rows = await lock_due(tx.session, tx.now)
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
        folding.arrived(row, Outcome(row.fingerprint))
    await tx.flush()
    await folding.fold()
    return len(rows)


async def lock_due(session: AsyncSession, now: datetime) -> list[Alert]:
    """Lock held episodes that are due; those that a webhook works on are passed over."""
    rows = await session.scalars(
        select(Alert)
        .where(Alert.refire_at <= now)
        .order_by(Alert.integration_id, Alert.fingerprint, Alert.starts_at)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    return list(rows)


async def identities_firing(session: AsyncSession, rows: list[Alert]) -> set[tuple[UUID, str]]:
    """Return which of the rows' identities have a firing episode already."""
    found = await session.execute(
        select(Alert.integration_id, Alert.fingerprint).where(
            Alert.status == AlertStatus.FIRING,
            Alert.integration_id.in_({row.integration_id for row in rows}),
            Alert.fingerprint.in_({row.fingerprint for row in rows}),
        )
    )
    return {(row.integration_id, row.fingerprint) for row in found}
