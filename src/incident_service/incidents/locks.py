"""Lock incidents, always in the order of their ids."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from incident_service.incidents.models import Incident


async def lock(session: AsyncSession, ids: Collection[UUID]) -> dict[UUID, Incident]:
    """Lock and read the incidents; those that no longer exist are missing from the answer.

    Lock all incidents a transaction will touch in one call: a second call could wait for another
    transaction that waits for us. Changes made so far are written first, because the rows are
    read anew.
    """
    if not ids:
        return {}
    await session.flush()
    rows = await session.scalars(
        select(Incident)
        .where(Incident.id.in_(ids))
        .order_by(Incident.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return {incident.id: incident for incident in rows}
