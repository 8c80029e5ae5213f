"""Reads of incidents and their timeline."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, func, literal_column, or_, select, text, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from incident_service.catalog import label_search
from incident_service.catalog.priority import Priority
from incident_service.core.errors import NotFound
from incident_service.incidents.lifecycle import Status
from incident_service.incidents.models import URGENCY, Incident, IncidentEvent, IncidentRelation
from incident_service.incidents.narrowing import ANYTHING, Narrowing, Sort, of_incident, of_row
from incident_service.teams.auth import Principal
from incident_service.web.lists.keyset import Order, fetch_sorted
from incident_service.web.lists.pagination import PageQuery


class IncidentNotFound(NotFound):
    """There is no such incident, or it belongs to a team that the key cannot see."""


@dataclass(frozen=True, slots=True)
class IncidentFilter:
    """Which incidents are wanted; an empty field does not narrow the list."""

    statuses: Sequence[Status] = ()
    team_id: UUID | None = None
    fingerprint: str | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None
    narrowed: Narrowing = ANYTHING


ORDERS = {
    Sort.NEWEST: Order("newest", Incident.created_at, Incident.id, newest_first=True),
    Sort.URGENT: Order(
        "urgent", Incident.created_at, Incident.id, rank=literal_column(URGENCY, Integer())
    ),
}


async def get_incident(session: AsyncSession, incident_id: UUID, principal: Principal) -> Incident:
    """Return the incident.

    Raises:
        IncidentNotFound: it does not exist for this caller.
    """
    incident = await session.get(Incident, incident_id)
    if incident is None or not principal.sees(incident.team_id):
        raise IncidentNotFound
    return incident


async def list_related(
    session: AsyncSession, incident_id: UUID, principal: Principal
) -> Sequence[Incident]:
    """Return the incidents that are linked to this one and that the caller sees, oldest first."""
    linked = union_all(
        select(IncidentRelation.second_id).where(IncidentRelation.first_id == incident_id),
        select(IncidentRelation.first_id).where(IncidentRelation.second_id == incident_id),
    )
    statement = select(Incident).where(Incident.id.in_(linked)).order_by(Incident.number)
    if principal.team_ids is not None:
        statement = statement.where(Incident.team_id.in_(principal.team_ids))
    return (await session.scalars(statement)).all()


async def list_incidents(
    session: AsyncSession,
    wanted: IncidentFilter,
    principal: Principal,
    page: PageQuery,
    sort: Sort = Sort.NEWEST,
) -> tuple[Sequence[Incident], str | None]:
    """Return a page of incidents."""
    looked_at, keep = label_search.left_over(Incident.labels, wanted.narrowed.matchers)
    conditions = conditions_of(wanted)
    team_ids = principal.narrowed(wanted.team_id)
    if team_ids is not None:
        conditions.append(Incident.team_id.in_(team_ids))
    return await fetch_sorted(
        session, Incident, ORDERS[sort], conditions, page, keep=keep, looked_at=looked_at
    )


def conditions_of(wanted: IncidentFilter) -> list[ColumnElement[bool]]:
    """Say in SQL what SQL can say of the filter."""
    conditions = [
        *of_row(
            wanted.narrowed,
            labels=Incident.labels,
            priority=Incident.priority,
            service_id=Incident.service_id,
        ),
        *of_incident(wanted.narrowed),
    ]
    if wanted.statuses:
        conditions.append(Incident.status.in_(wanted.statuses))
    if wanted.fingerprint is not None:
        conditions.append(Incident.fingerprint == wanted.fingerprint)
    if wanted.created_from:
        conditions.append(Incident.created_at >= wanted.created_from)
    if wanted.created_before:
        conditions.append(Incident.created_at < wanted.created_before)
    return conditions


async def list_events(
    session: AsyncSession, incident_id: UUID, *, after: int, limit: int
) -> Sequence[IncidentEvent]:
    """Return the timeline after a sequence number, oldest first."""
    rows = await session.scalars(
        select(IncidentEvent)
        .where(IncidentEvent.incident_id == incident_id, IncidentEvent.sequence > after)
        .order_by(IncidentEvent.sequence)
        .limit(limit)
    )
    return rows.all()


Key = tuple[UUID, str]
"""Service id and deduplication key."""

LATEST_BY_KEY = text("""
    SELECT latest.id
    FROM unnest(CAST(:service_ids AS uuid[]), CAST(:fingerprints AS text[]))
        AS wanted (service_id, fingerprint)
    CROSS JOIN LATERAL (
        SELECT id FROM incidents
        WHERE service_id = wanted.service_id AND fingerprint = wanted.fingerprint
        ORDER BY status IN ('OPEN', 'ACKNOWLEDGED') DESC, created_at DESC LIMIT 1
    ) AS latest
""")


async def latest_by_key(session: AsyncSession, keys: Collection[Key]) -> list[UUID]:
    """Return the id of the incident that alerts of each key meet, without locking it.

    That is the active one, or else the newest. An active one need not be the newest: somebody may
    have reopened an older one.
    """
    if not keys:
        return []
    services, fingerprints = zip(*keys, strict=True)
    rows = await session.scalars(
        LATEST_BY_KEY, {"service_ids": list(services), "fingerprints": list(fingerprints)}
    )
    return list(rows)


async def count_active_on_policy(session: AsyncSession, policy_id: UUID) -> int:
    """Count the active incidents that run on a copy of the policy."""
    found = await session.scalar(
        select(func.count())
        .select_from(Incident)
        .where(
            Incident.escalation_policy_id == policy_id,
            Incident.status.in_([Status.OPEN, Status.ACKNOWLEDGED]),
        )
    )
    return found or 0


async def count_active(session: AsyncSession) -> dict[tuple[Status, Priority], int]:
    """Count the active incidents by status and priority; what there is none of is left out."""
    rows = await session.execute(
        select(Incident.status, Incident.priority, func.count())
        .where(Incident.status.in_([Status.OPEN, Status.ACKNOWLEDGED]))
        .group_by(Incident.status, Incident.priority)
    )
    return {(status, priority): count for status, priority, count in rows}


async def count_exhausted(session: AsyncSession, now: datetime) -> int:
    """Count the open incidents whose policy ran out, without those that are snoozed or held."""
    found = await session.scalar(
        select(func.count())
        .select_from(Incident)
        .where(
            Incident.status == Status.OPEN,
            Incident.exhausted_at.is_not(None),
            or_(Incident.snoozed_until.is_(None), Incident.snoozed_until <= now),
            Incident.maintenance_window_id.is_(None),
        )
    )
    return found or 0


async def count_held(session: AsyncSession) -> int:
    """Count the incidents that maintenance windows hold."""
    found = await session.scalar(
        select(func.count()).where(Incident.maintenance_window_id.is_not(None))
    )
    return found or 0
