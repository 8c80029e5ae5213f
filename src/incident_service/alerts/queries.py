"""Reads of alerts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, exists, literal_column, select
from sqlalchemy.ext.asyncio import AsyncSession

from incident_service.alerts.models import URGENCY, Alert, AlertStatus
from incident_service.catalog import label_search
from incident_service.catalog.models import Service
from incident_service.incidents.models import Incident
from incident_service.incidents.narrowing import ANYTHING, Narrowing, Sort, of_incident, of_row
from incident_service.teams.auth import Principal
from incident_service.web.lists.keyset import Order, fetch_sorted
from incident_service.web.lists.pagination import PageQuery, fetch_page

ORDERS = {
    Sort.NEWEST: Order("newest", Alert.first_received_at, Alert.id, newest_first=True),
    Sort.URGENT: Order(
        "urgent", Alert.first_received_at, Alert.id, rank=literal_column(URGENCY, Integer())
    ),
}


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Which alerts are wanted; an empty field does not narrow the list."""

    statuses: Sequence[AlertStatus] = ()
    team_id: UUID | None = None
    integration_id: UUID | None = None
    fingerprint: str | None = None
    has_incident: bool | None = None
    received_from: datetime | None = None
    received_before: datetime | None = None
    narrowed: Narrowing = ANYTHING


async def list_alerts(
    session: AsyncSession, incident_id: UUID, page: PageQuery
) -> tuple[Sequence[Alert], str | None]:
    """Return a page of an incident's alerts, in the order they were first received."""
    statement = select(Alert).where(Alert.incident_id == incident_id)
    return await fetch_page(session, statement, Alert.id, page)


async def search_alerts(
    session: AsyncSession,
    wanted: AlertFilter,
    principal: Principal,
    page: PageQuery,
    sort: Sort = Sort.NEWEST,
) -> tuple[Sequence[Alert], str | None]:
    """Return a page of alerts, of whatever incident or of none."""
    looked_at, keep = label_search.left_over(Alert.labels, wanted.narrowed.matchers)
    conditions = conditions_of(wanted)
    service_ids = await find_services(session, wanted, principal)
    if service_ids is not None:
        conditions.append(Alert.service_id.in_(service_ids))
    return await fetch_sorted(
        session, Alert, ORDERS[sort], conditions, page, keep=keep, looked_at=looked_at
    )


async def find_services(
    session: AsyncSession, wanted: AlertFilter, principal: Principal
) -> Sequence[UUID] | None:
    """Return the services whose alerts the caller may see and wants; None: all.

    They are read first: what PostgreSQL knows of how alerts spread over services then counts.
    """
    team_ids = principal.narrowed(wanted.team_id)
    if team_ids is None:
        return None
    return (await session.scalars(select(Service.id).where(Service.team_id.in_(team_ids)))).all()


def conditions_of(wanted: AlertFilter) -> list[ColumnElement[bool]]:
    """Say in SQL what SQL can say of the filter."""
    conditions = of_row(
        wanted.narrowed,
        labels=Alert.labels,
        priority=Alert.priority,
        service_id=Alert.service_id,
    )
    if asked := of_incident(wanted.narrowed):
        conditions.append(exists().where(Incident.id == Alert.incident_id, *asked))
    if wanted.statuses:
        conditions.append(Alert.status.in_(wanted.statuses))
    exact = {
        Alert.integration_id: wanted.integration_id,
        Alert.fingerprint: wanted.fingerprint,
    }
    conditions += [column == value for column, value in exact.items() if value is not None]
    if wanted.has_incident is not None:
        without = Alert.incident_id.is_(None)
        conditions.append(~without if wanted.has_incident else without)
    if wanted.received_from:
        conditions.append(Alert.first_received_at >= wanted.received_from)
    if wanted.received_before:
        conditions.append(Alert.first_received_at < wanted.received_before)
    return conditions
