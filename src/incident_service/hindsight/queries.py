"""Reads of what is on record of one incident, and of how many went."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    func,
    or_,
    select,
    text,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from incident_service.catalog.models import Service
from incident_service.catalog.priority import Priority
from incident_service.hindsight.report import Event, Facts, Message
from incident_service.incidents.lifecycle import Status
from incident_service.incidents.models import Incident, IncidentEvent
from incident_service.incidents.timeline import EventKind
from incident_service.notifications.models import (
    Notification,
    NotificationKind,
    NotificationStatus,
    Page,
)
from incident_service.notifications.queries import FALLBACK_CONTACT
from incident_service.teams.models import ContactMethod, Team, User

MOST_EVENTS = 1_000
MOST_DECISIVE_EVENTS = 5_000
# There may be many of these, and none of them decides how long something took or who was paged.
COMMON = (
    EventKind.NOTED,
    EventKind.ALERTS_JOINED,
    EventKind.ALERTS_RESOLVED,
    EventKind.ALERTS_STALE,
)
MOST_MESSAGES = 5_000
MOST_PEOPLE = 200
NOISIEST = 10
HOURS = 24

RECIPIENT = func.coalesce(User.name, ContactMethod.name, FALLBACK_CONTACT).label("recipient")
TOLD_AT = func.coalesce(Page.sent_at, Notification.updated_at)


@dataclass(frozen=True, slots=True)
class Scope:
    """Which incidents count: those that began in a span, of some teams (None: all)."""

    began_from: datetime
    began_before: datetime
    team_ids: frozenset[UUID] | None = None
    service_id: UUID | None = None

    @property
    def conditions(self) -> list[ColumnElement[bool]]:
        """Say it in SQL."""
        return self.conditions_on(Incident)

    def conditions_on(self, table: type[Incident]) -> list[ColumnElement[bool]]:
        """Say it in SQL of the table under another name."""
        conditions = [
            table.created_at >= self.began_from,
            table.created_at < self.began_before,
        ]
        if self.team_ids is not None:
            conditions.append(table.team_id.in_(self.team_ids))
        if self.service_id is not None:
            conditions.append(table.service_id == self.service_id)
        return conditions


@dataclass(frozen=True, slots=True)
class Times:
    """How long something took, of how many incidents."""

    incidents: int
    mean_s: float | None
    median_s: float | None


async def load_facts(session: AsyncSession, incident: Incident) -> Facts:
    """Read what is on record of an incident."""
    service = await session.get_one(Service, incident.service_id)
    team = await session.get_one(Team, incident.team_id)
    events = await load_events(session, incident.id)
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


async def load_events(session: AsyncSession, incident_id: UUID) -> Sequence[IncidentEvent]:
    """Read the timeline: all of its beginning, and what decides of the rest; oldest first."""
    is_read = or_(IncidentEvent.sequence <= MOST_EVENTS, IncidentEvent.kind.not_in(COMMON))
    rows = await session.scalars(
        select(IncidentEvent)
        .where(IncidentEvent.incident_id == incident_id, is_read)
        .order_by(IncidentEvent.sequence)
        .limit(MOST_EVENTS + MOST_DECISIVE_EVENTS)
    )
    return rows.all()


async def load_messages(session: AsyncSession, incident: Incident) -> list[Message]:
    """Read whom the incident's notifications told, oldest first."""
    rows = await session.execute(
        select(
            Notification.user_id,
            RECIPIENT,
            Notification.kind,
            Notification.status,
            TOLD_AT.label("at"),
        )
        .join(ContactMethod, ContactMethod.id == Notification.contact_method_id)
        .outerjoin(User, User.id == Notification.user_id)
        .outerjoin(Page, Page.id == Notification.page_id)
        .where(Notification.incident_id == incident.id)
        .order_by(Notification.id)
        .limit(MOST_MESSAGES)
    )
    return [Message(row.user_id, row.recipient, row.kind, row.status, row.at) for row in rows]


async def count_incidents(
    session: AsyncSession, scope: Scope
) -> dict[tuple[Status, Priority], int]:
    """Count by status and priority; what there is none of is left out."""
    rows = await session.execute(
        select(Incident.status, Incident.priority, func.count())
        .where(*scope.conditions)
        .group_by(Incident.status, Incident.priority)
    )
    return {(status, priority): count for status, priority, count in rows}


async def time_to_acknowledge(session: AsyncSession, scope: Scope) -> Times:
    """Return how long it took until somebody acknowledged for the first time."""
    first = (
        select(func.min(IncidentEvent.at - Incident.created_at).label("took"))
        .join(Incident, Incident.id == IncidentEvent.incident_id)
        .where(*scope.conditions, ~Incident.is_quiet, IncidentEvent.kind == EventKind.ACKNOWLEDGED)
        .group_by(Incident.id)
    )
    return await times_of(session, first)


async def time_to_resolve(session: AsyncSession, scope: Scope) -> Times:
    """Return how long it took until it was over, of what is."""
    took = (Incident.resolved_at - Incident.created_at).label("took")
    over = select(took).where(
        *scope.conditions, ~Incident.is_quiet, Incident.resolved_at.is_not(None)
    )
    return await times_of(session, over)


async def times_of(session: AsyncSession, statement: Select[Any]) -> Times:
    """Return the mean and the median of the intervals that a statement finds."""
    # Not EXTRACT: that makes numerics, which take several times as long to add up and to sort.
    seconds = func.date_part("epoch", statement.subquery().c.took)
    row = (
        await session.execute(
            select(func.count(), func.avg(seconds), func.percentile_cont(0.5).within_group(seconds))
        )
    ).one()
    return Times(*row)


def pages_in(scope: Scope, *columns: Any) -> Select[Any]:  # noqa: ANN401 - columns
    """Select from the pages that were sent: messages that ask for an answer, one an address.

    A message about several incidents is one page.
    """
    message = func.coalesce(Notification.page_id, Notification.id).label("message")
    return (
        select(message, *columns)
        .distinct()
        .select_from(Notification)
        .join(Incident, Incident.id == Notification.incident_id)
        .join(ContactMethod, ContactMethod.id == Notification.contact_method_id)
        .outerjoin(User, User.id == Notification.user_id)
        .outerjoin(Page, Page.id == Notification.page_id)
        .where(
            *scope.conditions,
            Notification.kind == NotificationKind.PAGE,
            Notification.status == NotificationStatus.SENT,
        )
    )


@dataclass(frozen=True, slots=True)
class SentPages:
    """How many pages each person or channel got, most first, and how many each hour of the day."""

    by_person: Sequence[Row[Any]]
    by_hour: Sequence[int]


async def count_pages(session: AsyncSession, scope: Scope, zone: str) -> SentPages:
    """Count the pages by person, and by the hours from midnight on the clocks of a time zone."""
    hour = func.date_part("hour", func.timezone(zone, TOLD_AT)).label("hour")
    sent = pages_in(scope, Notification.user_id, RECIPIENT, hour).subquery().c
    is_of_hour = func.grouping(sent.user_id).label("is_of_hour")
    people, hours = tuple_(sent.user_id, sent.recipient), tuple_(sent.hour)
    count = func.count().label("pages")
    found: Sequence[Row[Any]] = (
        await session.execute(
            select(is_of_hour, sent.user_id, sent.recipient, sent.hour, count)
            .group_by(func.grouping_sets(people, hours))
            .order_by(count.desc(), sent.recipient, sent.user_id)
        )
    ).all()
    by_hour = {int(row.hour): row.pages for row in found if row.is_of_hour}
    by_person = [row for row in found if not row.is_of_hour]
    return SentPages(by_person[:MOST_PEOPLE], [by_hour.get(hour, 0) for hour in range(HOURS)])


async def noisiest(session: AsyncSession, scope: Scope) -> Sequence[Row[Any]]:
    """Return the keys that opened the most incidents, with what the last one was called.

    Of as many, the key that opened one last comes first. All that this looks at of many incidents
    is in their index; the rest is read of the few that are shown.
    """
    incidents = func.count().label("incidents")
    last = func.max(Incident.created_at).label("last")
    key = (Incident.service_id, Incident.fingerprint)
    top = (
        select(*key, incidents, last)
        .where(*scope.conditions)
        .group_by(*key)
        .order_by(incidents.desc(), last.desc(), *key)
        .limit(NOISIEST)
        .subquery()
    )
    of_key = aliased(Incident)
    newest_first = func.array_agg(aggregate_order_by(of_key.title, of_key.created_at.desc()))
    more = (
        select(func.sum(of_key.alert_count).label("alerts"), newest_first[1].label("title"))
        .where(
            of_key.service_id == top.c.service_id,
            of_key.fingerprint == top.c.fingerprint,
            *scope.conditions_on(of_key),
        )
        .lateral()
    )
    rows = await session.execute(
        select(top.c.service_id, top.c.fingerprint, top.c.incidents, more.c.alerts, more.c.title)
        .join(more, true())
        .order_by(top.c.incidents.desc(), top.c.last.desc(), top.c.service_id, top.c.fingerprint)
    )
    found: Sequence[Any] = rows.all()
    return found


async def take_memory(session: AsyncSession) -> None:
    """Let this transaction sort and group in memory what a year holds; what is more spills."""
    await session.execute(text("SET LOCAL work_mem = '64MB'"))


async def knows_zone(session: AsyncSession, zone: str) -> bool:
    """Say whether PostgreSQL, whose time zones may be older than ours, knows this one."""
    found = await session.scalar(
        text("SELECT EXISTS (SELECT FROM pg_timezone_names WHERE name = :zone)"), {"zone": zone}
    )
    return bool(found)
