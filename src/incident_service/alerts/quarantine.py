"""Keep alerts that could not be stored: the latest of each sender, for some weeks."""

import json
from collections.abc import Collection, Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from incident_service.alerts.adapters.texts import clean
from incident_service.alerts.incoming import Rejected, cut
from incident_service.alerts.models import RejectedAlert
from incident_service.core.db import Transactions, Tx
from incident_service.core.ids import new_id
from incident_service.core.reconciler import Swept
from incident_service.web.lists.pagination import PageQuery, fetch_page

KEPT_OF_A_WEBHOOK = 20
KEPT_OF_A_SENDER = 1_000
KEPT_FOR = timedelta(days=30)
LONGEST_CONTENT = 4 * 1024
PRUNE_EVERY_S = 60.0  # a sweep that says nothing for long looks stuck


async def keep(tx: Tx, integration_id: UUID, rejected: Sequence[Rejected]) -> None:
    """Keep the first of a webhook's rejected alerts, in the place of the sender's oldest ones."""
    if not rejected:
        return
    rows = [
        {
            "id": new_id(),
            "integration_id": integration_id,
            "received_at": tx.now,
            "position": each.index,
            "code": each.code,
            "message": each.message,
            "content": clean(cut(json.dumps(each.entry, ensure_ascii=False), LONGEST_CONTENT)),
        }
        for each in rejected[:KEPT_OF_A_WEBHOOK]
    ]
    await tx.session.execute(insert(RejectedAlert), rows)
    older = (
        select(RejectedAlert.id)
        .where(RejectedAlert.integration_id == integration_id)
        .order_by(RejectedAlert.id.desc())
        .offset(KEPT_OF_A_SENDER)
    )
    # Whatever another process deletes just now is passed over: two of them would wait in a circle.
    free = select(RejectedAlert.id).where(RejectedAlert.id.in_(older))
    gone = (await tx.session.scalars(free.with_for_update(skip_locked=True))).all()
    await tx.session.execute(delete(RejectedAlert).where(RejectedAlert.id.in_(gone)))


async def list_rejected(
    session: AsyncSession, integration_id: UUID, page: PageQuery
) -> tuple[Sequence[RejectedAlert], str | None]:
    """Return a page of what is kept of a sender, newest first."""
    statement = select(RejectedAlert).where(RejectedAlert.integration_id == integration_id)
    return await fetch_page(session, statement, RejectedAlert.id, page, newest_first=True)


async def prune(transactions: Transactions) -> Swept:
    """Delete what has been kept for long enough; see `core.reconciler`."""
    async with transactions.open() as tx:
        gone = await tx.session.execute(
            delete(RejectedAlert)
            .where(RejectedAlert.received_at < tx.now - KEPT_FOR)
            .returning(RejectedAlert.id)
        )
        count: Collection[UUID] = gone.scalars().all()
    return Swept(len(count))
