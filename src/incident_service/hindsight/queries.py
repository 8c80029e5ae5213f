"""Reads of what is on record of an incident."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from incident_service.catalog.models import Service
from incident_service.hindsight.report import Event, Facts, Message
from incident_service.incidents.models import Incident
from incident_service.incidents.queries import list_events
from incident_service.notifications.models import Notification, Page
from incident_service.notifications.queries import FALLBACK_CONTACT
from incident_service.teams.models import ContactMethod, Team, User

MOST_EVENTS = 1_000
MOST_MESSAGES = 5_000


async def load_facts(session: AsyncSession, incident: Incident) -> Facts:
    """Read what is on record of an incident."""
    service = await session.get_one(Service, incident.service_id)
    team = await session.get_one(Team, incident.team_id)
    events = await list_events(session, incident.id, after=0, limit=MOST_EVENTS)
    return Facts(
        id=incident.id,
        number=incident.number,
        title=incident.title,
        status=incident.status,
        priority=incident.priority,
        is_quiet=incident.is_quiet,
        service_name=service.name,
        team_name=team.name,
        labels=incident.labels,
        alert_count=incident.alert_count,
        flap_count=incident.flap_count,
        began_at=incident.created_at,
        resolved_at=incident.resolved_at,
        closed_at=incident.closed_at,
        event_count=incident.event_count,
        events=[
            Event(each.sequence, each.kind, each.actor, each.reason, each.data, each.at)
            for each in events
        ],
        messages=await load_messages(session, incident),
    )


async def load_messages(session: AsyncSession, incident: Incident) -> list[Message]:
    """Read whom the incident's notifications told, oldest first."""
    rows = await session.execute(
        select(
            Notification.user_id,
            func.coalesce(User.name, ContactMethod.name, FALLBACK_CONTACT).label("recipient"),
            Notification.kind,
            Notification.status,
            func.coalesce(Page.sent_at, Notification.updated_at).label("at"),
        )
        .join(ContactMethod, ContactMethod.id == Notification.contact_method_id)
        .outerjoin(User, User.id == Notification.user_id)
        .outerjoin(Page, Page.id == Notification.page_id)
        .where(Notification.incident_id == incident.id)
        .order_by(Notification.id)
        .limit(MOST_MESSAGES)
    )
    return [Message(row.user_id, row.recipient, row.kind, row.status, row.at) for row in rows]
