"""What is done to canaries: plant one a minute, take each a stage further, forget old ones."""

from collections.abc import Collection
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from incident_service import jobs
from incident_service.core.db import Tx
from incident_service.core.ids import new_id
from incident_service.heartbeat import queries
from incident_service.heartbeat.fitness import Call, Decision, decide
from incident_service.heartbeat.models import Canary
from incident_service.observability import metrics

MINUTE = timedelta(minutes=1)
KEPT = timedelta(hours=1)
FORGOTTEN_AT_ONCE = 100


async def plant(tx: Tx) -> datetime:
    """Make the canary of the next full minute, unless another worker has; return that minute."""
    due_at = tx.now.replace(second=0, microsecond=0) + MINUTE
    planted = await tx.session.scalar(
        insert(Canary)
        .values(id=new_id(), due_at=due_at, created_at=tx.now)
        .on_conflict_do_nothing(index_elements=[Canary.due_at])
        .returning(Canary.id)
    )
    if planted:
        tx.enqueue(jobs.advance_canary(planted, "step", due_at))
        await forget_old(tx)
    return due_at


async def forget_old(tx: Tx) -> None:
    """Delete the canaries of an hour ago, whatever became of them."""
    old = (
        select(Canary.id)
        .where(Canary.due_at < tx.now - KEPT)
        .limit(FORGOTTEN_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    await tx.session.execute(delete(Canary).where(Canary.id.in_(old)))


async def advance(tx: Tx, canary_ids: Collection[UUID]) -> int:
    """Take canaries one stage further, and wake the next stage; return how many there were.

    The stages are those of a page, in transactions of their own: a step makes it due, a claim
    takes it, and it is recorded.
    """
    canaries = await queries.lock_canaries(tx.session, canary_ids)
    for canary in canaries:
        if canary.stepped_at is None:
            canary.stepped_at = tx.now
            tx.enqueue(jobs.advance_canary(canary.id, "claim", tx.now))
        elif canary.claimed_at is None:
            canary.claimed_at = tx.now
            tx.enqueue(jobs.advance_canary(canary.id, "record", tx.now))
        else:
            canary.recorded_at = tx.now
            late_s = (tx.now - canary.due_at).total_seconds()
            tx.after_commit(partial(metrics.CANARY_SECONDS.observe, late_s))
    return len(canaries)


async def claim_call(tx: Tx) -> Decision:
    """Decide about a call of the dead-man's switch, and use the newest canary for it."""
    newest = await queries.lock_newest_recorded(tx.session)
    lateness = await queries.load_lateness(tx.session, tx.now)
    if newest is None or newest.recorded_at is None:
        return decide(None, lateness, used=False)
    decision = decide(tx.now - newest.recorded_at, lateness, used=newest.called_at is not None)
    if isinstance(decision, Call):
        newest.called_at = tx.now
    return decision
