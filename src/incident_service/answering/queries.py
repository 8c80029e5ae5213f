"""Read a page as its link shows it: whose it is, and how its incidents stand now."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from incident_service.answering.words import TOLD
from incident_service.catalog.models import Service
from incident_service.incidents.models import Incident, IncidentEvent
from incident_service.incidents.timeline import EventKind
from incident_service.notifications.models import Notification, Page
from incident_service.teams.models import User

EVENTS_AT_MOST = 500


@dataclass(frozen=True, slots=True)
class Member:
    """An incident of the page.

    `epoch` is the climb that the page was about, `acknowledged` the last event of its kind,
    `meanwhile` what has happened since the page was made.
    """

    incident: Incident
    service: str
    epoch: int
    acknowledged: IncidentEvent | None
    meanwhile: tuple[IncidentEvent, ...]

    @property
    def is_same_climb(self) -> bool:
        """Say whether the incident still is in the climb that the page was about."""
        return self.epoch == self.incident.escalation_epoch


@dataclass(frozen=True, slots=True)
class Asked:
    """A page, the person whom it asks, and its incidents, the most urgent first."""

    page: Page
    person: User
    members: tuple[Member, ...]


async def find_asked(session: AsyncSession, page_id: UUID) -> Asked | None:
    """Return what a page asks of whom; None when it is no longer there, or asks nobody."""
    page = await session.get(Page, page_id)
    person = await session.get(User, page.user_id) if page and page.user_id else None
    if page is None or person is None:
        return None
    rows = await session.execute(
        select(Incident, Service.name, func.max(Notification.epoch))
        .join(Notification, Notification.incident_id == Incident.id)
        .join(Service, Service.id == Incident.service_id)
        .where(Notification.page_id == page.id)
        .group_by(Incident.id, Service.name)
    )
    found = rows.all()
    ids = [incident.id for incident, _, _ in found]
    acknowledged = await load_acknowledged(session, ids)
    meanwhile = await load_meanwhile(session, ids, page.created_at)
    members = [
        Member(incident, service, epoch, acknowledged.get(incident.id), meanwhile[incident.id])
        for incident, service, epoch in found
    ]
    members.sort(key=lambda member: (member.incident.priority.rank, member.incident.number))
    return Asked(page, person, tuple(members))


async def load_acknowledged(
    session: AsyncSession, incident_ids: Collection[UUID]
) -> dict[UUID, IncidentEvent]:
    """Return the last acknowledge of each incident; a tool's has no user in the incident's row."""
    rows = await session.scalars(
        select(IncidentEvent)
        .ext(distinct_on(IncidentEvent.incident_id))
        .where(
            IncidentEvent.incident_id.in_(incident_ids),
            IncidentEvent.kind == EventKind.ACKNOWLEDGED,
        )
        .order_by(IncidentEvent.incident_id, IncidentEvent.sequence.desc())
    )
    return {event.incident_id: event for event in rows}


async def load_meanwhile(
    session: AsyncSession, incident_ids: Collection[UUID], since: datetime
) -> dict[UUID, tuple[IncidentEvent, ...]]:
    """Return the later events of each incident that people are told of, oldest first."""
    rows = await session.scalars(
        select(IncidentEvent)
        .where(
            IncidentEvent.incident_id.in_(incident_ids),
            IncidentEvent.kind.in_(TOLD),
            IncidentEvent.at > since,
        )
        .order_by(IncidentEvent.position.desc())
        .limit(EVENTS_AT_MOST)
    )
    newest_first = rows.all()
    return {
        incident_id: tuple(
            event for event in reversed(newest_first) if event.incident_id == incident_id
        )
        for incident_id in incident_ids
    }
