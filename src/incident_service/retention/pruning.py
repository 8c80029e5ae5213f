"""Forget what is old, a bounded number of rows in each transaction.

Locks are taken in the declared order (alerts, incidents, pages), and never waited for: whatever
somebody works on just now is left for another time. Doing it twice, or twice at once, is harmless.
"""

from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, exists, func, select, tuple_, update

from incident_service.alerts.models import Alert
from incident_service.core.audit import AuditEntry
from incident_service.core.db import Tx
from incident_service.escalation.models import EscalationJob
from incident_service.incidents.models import Incident, IncidentEvent
from incident_service.notifications.models import Notification, Page
from incident_service.retention import queries
from incident_service.retention.terms import Terms
from incident_service.web.idempotency.actions import KEPT_FOR
from incident_service.web.idempotency.models import IdempotencyKey

INCIDENTS_AT_ONCE = 20
ROWS_AT_ONCE = 1_000

Place = tuple[Any, ...]
"""Where in the order of a kind a round has got to."""
BEGINNING: Place = (datetime(1970, 1, 1, tzinfo=UTC), UUID(int=0))


@dataclass(frozen=True, slots=True)
class Batch:
    """What went, by kind, and where the next batch goes on; None: this was the last one."""

    gone: Counter[str] = field(default_factory=Counter)
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """Something that is forgotten: what of it is old, and how a batch of it goes."""

    name: str
    keep: Callable[[Terms], timedelta | None]
    batch: Callable[[Tx, datetime, Place | None], Coroutine[Any, Any, Batch]]
    old: Callable[[datetime], Select[Any]]


async def prune_incidents(tx: Tx, before: datetime, place: Place | None) -> Batch:
    """Forget closed incidents with their alerts, events, timers, notifications and pages.

    What a subscriber is still to be told is in its deliveries, which stay.
    """
    found = queries.old_incidents(before).with_only_columns(Incident.created_at, Incident.id)
    if place:
        found = found.where(tuple_(Incident.created_at, Incident.id) > tuple_(*place))
    found = found.order_by(Incident.created_at, Incident.id).limit(INCIDENTS_AT_ONCE)
    rows = (await tx.session.execute(found)).all()
    if not rows:
        return Batch()
    ids = [row.id for row in rows]
    heavy = await trim_heavy(tx, before, ids)
    if heavy:
        return Batch(heavy, place or BEGINNING)
    gone = await forget_incidents(tx, before, ids)
    is_last = len(rows) < INCIDENTS_AT_ONCE
    return Batch(gone, None if is_last else tuple(rows[-1]))


async def trim_heavy(tx: Tx, before: datetime, ids: Collection[UUID]) -> Counter[str]:
    """Take some of what belongs to an incident that has too much to go at once."""
    for table in (Alert, IncidentEvent):
        name = NAMES[table]
        counts = await tx.session.execute(
            select(table.incident_id)
            .where(table.incident_id.in_(ids))
            .group_by(table.incident_id)
            .having(func.count() > ROWS_AT_ONCE)
        )
        for (incident_id,) in counts:
            if incident_id is None or not await lock_incidents(tx, before, [incident_id]):
                continue
            (key,) = table.__table__.primary_key
            some = await tx.session.scalars(
                select(key)
                .where(table.incident_id == incident_id)
                .order_by(key)
                .limit(ROWS_AT_ONCE)
                .with_for_update(skip_locked=True)
            )
            if removed := await remove(tx, table, some.all()):
                return Counter({name: removed})
    return Counter()


async def forget_incidents(tx: Tx, before: datetime, ids: Collection[UUID]) -> Counter[str]:
    """Forget those of the incidents that can be locked with all that has to go with them."""
    alerts = await lock_alerts(tx, ids)
    free = set(await lock_incidents(tx, before, ids))
    free -= await find_others(tx, free, alerts)
    pages, held = await lock_pages(tx, free)
    free -= held
    free -= await unlink(tx, free)
    gone = Counter(
        {
            "alerts": await remove(tx, Alert, [row for row, of in alerts.items() if of in free]),
            **await count_with(tx, free),
            "incidents": await remove(tx, Incident, free),
        }
    )
    has_members = exists().where(Notification.page_id == Page.id)
    without = await tx.session.scalars(select(Page.id).where(Page.id.in_(pages), ~has_members))
    gone["pages"] = await remove(tx, Page, without.all())
    return gone


async def lock_alerts(tx: Tx, ids: Collection[UUID]) -> Mapping[UUID, UUID]:
    """Lock the incidents' alerts that nobody else holds; return the incident of each."""
    rows = await tx.session.execute(
        select(Alert.id, Alert.incident_id)
        .where(Alert.incident_id.in_(ids), queries.IS_OVER)
        .order_by(Alert.integration_id, Alert.fingerprint, Alert.id)
        .with_for_update(skip_locked=True)
    )
    return {row.id: row.incident_id for row in rows}


async def lock_incidents(tx: Tx, before: datetime, ids: Collection[UUID]) -> Sequence[UUID]:
    """Lock those of the incidents that nobody else holds, and that are still old and unneeded."""
    locked = await tx.session.scalars(
        queries.old_incidents(before)
        .with_only_columns(Incident.id)
        .where(Incident.id.in_(ids))
        .order_by(Incident.id)
        .with_for_update(skip_locked=True, of=Incident)
    )
    return locked.all()


async def find_others(tx: Tx, ids: Collection[UUID], alerts: Collection[UUID]) -> set[UUID]:
    """Return the locked incidents that have other alerts: somebody holds them, or they fire."""
    rows = await tx.session.scalars(
        select(Alert.incident_id)
        .where(Alert.incident_id.in_(ids), Alert.id.not_in(alerts))
        .distinct()
    )
    return {incident_id for incident_id in rows if incident_id}


async def unlink(tx: Tx, ids: Collection[UUID]) -> set[UUID]:
    """Let later incidents no longer name these; return those whose later ones somebody holds.

    The foreign key would do it too, and wait for the lock.
    """
    later = select(Incident.id).where(Incident.previous_incident_id.in_(ids)).order_by(Incident.id)
    free = (await tx.session.scalars(later.with_for_update(key_share=True, skip_locked=True))).all()
    held = await tx.session.scalars(
        select(Incident.previous_incident_id).where(
            Incident.previous_incident_id.in_(ids), Incident.id.not_in(free)
        )
    )
    kept = {incident_id for incident_id in held if incident_id}
    await tx.session.execute(
        update(Incident)
        .where(Incident.id.in_(free), Incident.previous_incident_id.not_in(kept))
        .values(previous_incident_id=None)
        .execution_options(synchronize_session=False)
    )
    return kept


async def lock_pages(tx: Tx, ids: Collection[UUID]) -> tuple[Sequence[UUID], set[UUID]]:
    """Lock the pages that told of the incidents; return them, and whose pages somebody holds."""
    rows = await tx.session.execute(
        select(Notification.page_id, Notification.incident_id)
        .where(Notification.incident_id.in_(ids), Notification.page_id.is_not(None))
        .distinct()
    )
    told = rows.all()
    locked = await tx.session.scalars(
        select(Page.id)
        .where(Page.id.in_({row.page_id for row in told}))
        .order_by(Page.id)
        .with_for_update(skip_locked=True)
    )
    free = locked.all()
    known = set(free)
    return free, {row.incident_id for row in told if row.page_id not in known}


async def count_with(tx: Tx, ids: Collection[UUID]) -> dict[str, int]:
    """Count what the foreign keys delete with the incidents."""
    return {
        NAMES[table]: await tx.session.scalar(
            select(func.count()).select_from(table).where(table.incident_id.in_(ids))
        )
        or 0
        for table in (IncidentEvent, EscalationJob, Notification)
    }


async def remove(tx: Tx, table: Any, keys: Collection[Any]) -> int:  # noqa: ANN401 - a model
    """Delete locked rows by their keys, and return how many there were."""
    if not keys:
        return 0
    (key,) = table.__table__.primary_key
    await tx.session.execute(
        delete(table).where(key.in_(keys)).execution_options(synchronize_session=False)
    )
    return len(keys)


def simply(name: str, table: Any, old: Callable[[datetime], Select[Any]]) -> Any:  # noqa: ANN401
    """Make the batch of a kind that nothing else belongs to."""

    async def batch(tx: Tx, before: datetime, _place: Place | None) -> Batch:
        found = old(before).with_only_columns(table.id).limit(ROWS_AT_ONCE)
        ids = (await tx.session.scalars(found.with_for_update(skip_locked=True))).all()
        count = await remove(tx, table, ids)
        return Batch(Counter({name: count}), () if count == ROWS_AT_ONCE else None)

    return batch


NAMES: dict[Any, str] = {
    Alert: "alerts",
    IncidentEvent: "events",
    EscalationJob: "timers",
    Notification: "notifications",
}
KINDS = (
    Kind("incidents", lambda terms: terms.incidents, prune_incidents, queries.old_incidents),
    Kind(
        "alerts without incident",
        lambda terms: terms.alerts,
        simply("alerts without incident", Alert, queries.old_alerts),
        queries.old_alerts,
    ),
    Kind(
        "notes",
        lambda terms: terms.notes,
        simply("notes", Page, queries.old_notes),
        queries.old_notes,
    ),
    Kind(
        "audit entries",
        lambda terms: terms.audit,
        simply("audit entries", AuditEntry, queries.old_entries),
        queries.old_entries,
    ),
    Kind(
        "idempotency keys",
        lambda _terms: KEPT_FOR,
        simply("idempotency keys", IdempotencyKey, queries.old_keys),
        queries.old_keys,
    ),
)


async def count_old(tx: Tx, kind: Kind, before: datetime, most: int) -> int:
    """Count what of a kind would go, up to `most`."""
    old = kind.old(before).limit(most).subquery()
    return await tx.session.scalar(select(func.count()).select_from(old)) or 0
