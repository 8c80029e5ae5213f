"""Reads of notifications and pages."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from incident_service.catalog.priority import Priority, highest
from incident_service.core.db import Tx
from incident_service.core.errors import NotFound
from incident_service.incidents.models import Incident
from incident_service.notifications.chain import quiet_end
from incident_service.notifications.habits import load_quiet_hours
from incident_service.notifications.models import (
    Notification,
    NotificationKind,
    NotificationStatus,
    Page,
    PageAttempt,
    PageStatus,
)
from incident_service.notifications.spacing import MEMORY, SPACING, EarlierPage, next_page_at
from incident_service.notifications.why import Holds, why_not_sent
from incident_service.teams.models import Channel, ContactMethod, User
from incident_service.web.lists.pagination import PageQuery, fetch_page

FALLBACK_CONTACT = "fallback contact"


def rank(priority: ColumnElement[Priority] | InstrumentedAttribute[Priority]) -> ColumnElement[int]:
    """Order by urgency in SQL; 0 is the most urgent."""
    return case(*((priority == member, member.rank) for member in Priority))


def is_due_again(now: datetime) -> ColumnElement[bool]:
    """Say of a page that its next attempt is due, or that its worker has died."""
    return or_(
        and_(Page.status == PageStatus.WAITING, Page.next_attempt_at <= now),
        and_(Page.status == PageStatus.SENDING, Page.lease_until < now),
    )


async def find_due_incidents(
    session: AsyncSession, contact_method_id: UUID, now: datetime, *, limit: int
) -> dict[UUID, Priority]:
    """Return the incidents that the address is to be told of, most urgent first, then oldest.

    What it is merely to be brought up to date about is not urgent.
    """
    priority = case(
        (func.bool_or(Notification.kind == NotificationKind.PAGE), Incident.priority),
        else_=Priority.INFO.value,
    )
    rows = await session.execute(
        select(Incident.id, priority.label("priority"))
        .join(Notification, Notification.incident_id == Incident.id)
        .where(
            Notification.contact_method_id == contact_method_id,
            Notification.status == NotificationStatus.PENDING,
            Notification.due_at <= now,
        )
        .group_by(Incident.id)
        .order_by(rank(priority), func.min(Notification.due_at), Incident.id)
        .limit(limit)
    )
    return {row.id: Priority(row.priority) for row in rows}


async def load_earlier_pages(
    session: AsyncSession, contact_method_id: UUID, now: datetime
) -> list[EarlierPage]:
    """Return what the address was lately sent, or is being sent."""
    rows = await session.execute(
        select(Page.created_at, Page.priority).where(
            Page.contact_method_id == contact_method_id,
            Page.created_at > now - MEMORY,
            Page.status != PageStatus.CANCELLED,
        )
    )
    return [EarlierPage(row.created_at, row.priority) for row in rows]


async def find_overdue_addresses(
    session: AsyncSession,
    now: datetime,
    *,
    grace: timedelta,
    limit: int,
    without: Collection[UUID] = (),
) -> list[UUID]:
    """Return the contact methods that nobody serves though something is due, longest due first.

    Work younger than `grace` is left to the job that is on its way. Addresses that spacing holds
    back are not listed; `claim` decides about the others. What was never tried comes before what
    failed: addresses that do not answer must not keep the others from their first page.
    """
    again = await session.scalars(
        select(Page.contact_method_id)
        .where(is_due_again(now - grace), Page.contact_method_id.not_in(without))
        .group_by(Page.contact_method_id)
        .order_by(func.min(Page.created_at))
        .limit(limit)
    )
    pending = await session.scalars(
        select(ContactMethod.id)
        .join(Notification, Notification.contact_method_id == ContactMethod.id)
        .join(Incident, Incident.id == Notification.incident_id)
        .where(
            Notification.status == NotificationStatus.PENDING,
            Notification.due_at <= now - grace,
            ContactMethod.id.not_in(without),
        )
        .group_by(ContactMethod.id)
        .having(or_(~ContactMethod.bundle, ~is_held_back(now)))
        .order_by(func.min(Notification.due_at))
        .limit(limit)
    )
    return list(dict.fromkeys([*pending, *again]))[:limit]


async def oldest_unsent(session: AsyncSession, now: datetime) -> datetime | None:
    """Return when the page was due that has waited longest, of those that nobody is sending.

    Spacing puts off what an address is to be told; it is not late before that has passed.
    """
    last_page = (
        select(func.max(Page.created_at))
        .where(Page.contact_method_id == ContactMethod.id, Page.status != PageStatus.CANCELLED)
        .scalar_subquery()
    )
    spaced = case((ContactMethod.bundle, last_page + SPACING))
    pending = (
        select(func.greatest(func.min(Notification.due_at), spaced).label("due_at"))
        .select_from(Notification)
        .join(ContactMethod, ContactMethod.id == Notification.contact_method_id)
        .where(Notification.status == NotificationStatus.PENDING, Notification.due_at <= now)
        .group_by(ContactMethod.id)
        .subquery()
    )
    again = select(func.min(func.coalesce(Page.next_attempt_at, Page.lease_until))).where(
        is_due_again(now)
    )
    first = select(func.min(pending.c.due_at)).where(pending.c.due_at <= now)
    rows = await session.execute(select(first.scalar_subquery(), again.scalar_subquery()))
    return min((at for at in rows.one() if at is not None), default=None)


async def next_delivery(session: AsyncSession, after: datetime) -> datetime | None:
    """Return the first instant after `after` at which something is to be sent."""
    rows = await session.execute(
        select(
            select(func.min(Notification.due_at))
            .where(Notification.status == NotificationStatus.PENDING, Notification.due_at > after)
            .scalar_subquery(),
            select(func.min(Page.next_attempt_at))
            .where(Page.status == PageStatus.WAITING, Page.next_attempt_at > after)
            .scalar_subquery(),
            select(func.min(Page.lease_until))
            .where(Page.status == PageStatus.SENDING, Page.lease_until > after)
            .scalar_subquery(),
        )
    )
    return min((at for at in rows.one() if at is not None), default=None)


def pending_rank() -> ColumnElement[int]:
    """Rank what is pending: an update is the least urgent thing there is."""
    is_page = Notification.kind == NotificationKind.PAGE
    return case((is_page, rank(Incident.priority)), else_=Priority.INFO.rank)


def is_held_back(now: datetime) -> ColumnElement[bool]:
    """Say, in a query grouped by contact method, what `spacing` says of the pending priorities."""
    sent = (Page.contact_method_id == ContactMethod.id, Page.status != PageStatus.CANCELLED)
    just_sent = select(Page.id).where(*sent, Page.created_at > now - SPACING)
    as_urgent = select(Page.id).where(
        *sent,
        Page.created_at > now - MEMORY,
        rank(Page.priority) <= func.min(pending_rank()),
    )
    return and_(
        just_sent.correlate(ContactMethod).exists(),
        as_urgent.correlate(ContactMethod, Incident, Notification).exists(),
    )


async def say_what_waits_for_address(tx: Tx, contact_method_id: UUID) -> str | None:
    """Say how many pages are on their way to an address; None when there is none."""
    return await say_what_waits(tx.session, Notification.contact_method_id == contact_method_id)


async def was_told(tx: Tx, contact_method_id: UUID) -> bool:
    """Say whether there is a record of incidents that an address was, or was to be, told of."""
    told = exists().where(Notification.contact_method_id == contact_method_id)
    return bool(await tx.session.scalar(select(told)))


async def say_what_waits_for_user(tx: Tx, user_id: UUID) -> str | None:
    """Say how many pages are on their way to a person; None when there is none."""
    return await say_what_waits(tx.session, Notification.user_id == user_id)


async def say_what_waits(session: AsyncSession, to_whom: ColumnElement[bool]) -> str | None:
    """Say how many notifications are not through yet."""
    unsent = Notification.status.in_([NotificationStatus.PENDING, NotificationStatus.SENDING])
    count = await session.scalar(
        select(func.count()).select_from(Notification).where(to_whom, unsent)
    )
    return f"Notifications that are still to be sent there: {count}." if count else None


@dataclass(frozen=True, slots=True)
class Told:
    """A notification, how its page fares, who is told and how, and its page's last attempt.

    `why` says why it was not sent, or not yet.
    """

    notification: Notification
    page: Page | None
    channel: Channel
    recipient: str
    attempt: PageAttempt | None = None
    why: str | None = None


async def list_notifications(
    session: AsyncSession, incident: Incident, wanted: PageQuery, now: datetime
) -> tuple[list[Told], str | None]:
    """Return a page of an incident's notifications, oldest first."""
    statement = select(Notification).where(Notification.incident_id == incident.id)
    rows, next_cursor = await fetch_page(session, statement, Notification.id, wanted)
    page_ids = {row.page_id for row in rows if row.page_id}
    pages = {
        page.id: page for page in await session.scalars(select(Page).where(Page.id.in_(page_ids)))
    }
    attempts = await load_last_attempts(session, page_ids)
    addresses = await load_recipients(session, {row.contact_method_id for row in rows})
    holds = await load_holds(session, incident, rows, now)
    told = [
        Told(
            row,
            pages[row.page_id] if row.page_id else None,
            *addresses[row.contact_method_id],
            attempts.get(row.page_id) if row.page_id else None,
            why_not_sent(row, pages.get(row.page_id) if row.page_id else None, holds[row.id], now),
        )
        for row in rows
    ]
    return told, next_cursor


async def load_holds(
    session: AsyncSession, incident: Incident, rows: Sequence[Notification], now: datetime
) -> dict[UUID, Holds]:
    """Return what keeps each of an incident's notifications from being sent, by its id."""
    pending = [row for row in rows if row.status is NotificationStatus.PENDING]
    people = {row.user_id for row in pending if row.user_id and row.due_at > now}
    quiet = await load_quiet_hours(session, people) if people else {}
    addresses = {row.contact_method_id for row in pending if row.due_at <= now}
    spaced = {id_: await find_spaced_until(session, id_, now) for id_ in addresses}
    return {
        row.id: Holds(
            quiet_end(quiet.get(row.user_id) if row.user_id else None, incident.priority, now),
            spaced.get(row.contact_method_id),
        )
        for row in rows
    }


async def find_spaced_until(
    session: AsyncSession, contact_method_id: UUID, now: datetime
) -> datetime | None:
    """Return until when `spacing` holds back what is due for an address; None: it does not."""
    method = await session.get_one(ContactMethod, contact_method_id)
    due = await find_due_incidents(session, contact_method_id, now, limit=1)
    if not due or not method.bundle:
        return None
    earlier = await load_earlier_pages(session, contact_method_id, now)
    until = next_page_at(highest(*due.values()), earlier, now)
    return until if until > now else None


async def load_last_attempts(
    session: AsyncSession, page_ids: Collection[UUID]
) -> dict[UUID, PageAttempt]:
    """Return the last attempt of each page that has come to an end."""
    rows = await session.scalars(
        select(PageAttempt)
        .where(PageAttempt.page_id.in_(page_ids), PageAttempt.finished_at.is_not(None))
        .order_by(PageAttempt.page_id, PageAttempt.number)
    )
    return {row.page_id: row for row in rows}


class PageNotFound(NotFound):
    """There is no such page."""


async def get_page(session: AsyncSession, page_id: UUID) -> tuple[Page, Sequence[PageAttempt]]:
    """Return a page with its attempts, first to last.

    Raises:
        PageNotFound: there is none.
    """
    page = await session.get(Page, page_id)
    if page is None:
        raise PageNotFound
    rows = await session.scalars(
        select(PageAttempt).where(PageAttempt.page_id == page_id).order_by(PageAttempt.number)
    )
    return page, rows.all()


async def load_recipients(
    session: AsyncSession, contact_method_ids: Collection[UUID]
) -> dict[UUID, tuple[Channel, str]]:
    """Return the kind of each contact method, and the name of the person or channel behind it."""
    rows = await session.execute(
        select(ContactMethod.id, ContactMethod.kind, ContactMethod.name, User.name.label("person"))
        .outerjoin(User, User.id == ContactMethod.user_id)
        .where(ContactMethod.id.in_(contact_method_ids))
    )
    return {row.id: (row.kind, row.person or row.name or FALLBACK_CONTACT) for row in rows}


async def find_team_of(session: AsyncSession, contact_method_id: UUID) -> UUID | None:
    """Return the team whose channel this is; None when it is no team's."""
    team_id: UUID | None = await session.scalar(
        select(ContactMethod.team_id).where(ContactMethod.id == contact_method_id)
    )
    return team_id


async def was_noted_since(session: AsyncSession, contact_method_id: UUID, since: datetime) -> bool:
    """Say whether a message about no incident was sent there since an instant."""
    sent = exists().where(
        Page.contact_method_id == contact_method_id,
        Page.note.is_not(None),
        Page.created_at > since,
    )
    return bool(await session.scalar(select(sent)))
