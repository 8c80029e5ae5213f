"""Claim the next page of an address: the first of the two transactions round a delivery.

The lock on the contact method makes claims for one address take turns. Then pages and
notifications are locked, and only after that the incidents are read: whoever acknowledges one
has to cancel its notifications, so what reads as OPEN here was not yet acknowledged when these
rows were taken (P5).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update

from incident_service import jobs
from incident_service.catalog.priority import highest
from incident_service.core.db import Tx
from incident_service.core.ids import new_id
from incident_service.core.sealing import is_sealed
from incident_service.notifications import queries
from incident_service.notifications.channels.contract import Address, NotUsable
from incident_service.notifications.membership import Members, keep_relevant, lock_notifications
from incident_service.notifications.message import OutgoingPage, urgency
from incident_service.notifications.models import (
    Notification,
    NotificationStatus,
    Page,
    PageAttempt,
    PageStatus,
)
from incident_service.notifications.spacing import next_page_at
from incident_service.teams.models import ContactMethod, User

# Longer than a send may take, and short enough that the page of a killed worker is on its way
# again within 30 s (P7).
LEASE = timedelta(seconds=20)
MOST_INCIDENTS = 50


@dataclass(frozen=True, slots=True)
class Claimed:
    """A page to send now; `user_id` is whose it is, if anybody's.

    It belongs to `trace`, that of its first member when it was made; `other_traces` are those of
    the other members.
    """

    page: OutgoingPage
    address: Address
    created_at: datetime
    user_id: UUID | None
    trace: str | None = None
    other_traces: tuple[str, ...] = ()

    @property
    def attempt(self) -> int:
        """The number of the page's attempt that this is."""
        return self.page.attempt


@dataclass(frozen=True, slots=True)
class Dropped:
    """What was due had been overtaken; look again, in another transaction.

    Going on in this one would lock further rows out of order.
    """


@dataclass(frozen=True, slots=True)
class Held:
    """Something is due, but the address is not to be disturbed before `until`."""

    until: datetime


@dataclass(frozen=True, slots=True)
class NothingDue:
    """The address has all it should have by now."""


Claim = Claimed | Dropped | Held | NothingDue


async def claim(tx: Tx, contact_method_id: UUID, base_url: str) -> Claim:
    """Take up an unfinished page of the address again, or take what is due into a new one."""
    method = await lock_contact_method(tx, contact_method_id)
    if method is None:
        return NothingDue()
    unfinished = await lock_unfinished_page(tx, contact_method_id)
    if unfinished:
        return await claim_again(tx, method, unfinished, base_url)
    due = await queries.find_due_incidents(
        tx.session, method.id, tx.now, limit=MOST_INCIDENTS if method.bundle else 1
    )
    if not due:
        return NothingDue()
    if method.bundle:
        earlier = await queries.load_earlier_pages(tx.session, method.id, tx.now)
        until = next_page_at(highest(*due.values()), earlier, tx.now)
        if until > tx.now:
            tx.enqueue(jobs.deliver_later(method.id, until))
            return Held(until)
    return await claim_new(tx, method, list(due), base_url)


async def lock_contact_method(tx: Tx, contact_method_id: UUID) -> ContactMethod | None:
    """Lock the address against other claims, not against rows that refer to it."""
    rows = await tx.session.scalars(
        select(ContactMethod)
        .where(ContactMethod.id == contact_method_id)
        .with_for_update(key_share=True)  # FOR NO KEY UPDATE
        .execution_options(populate_existing=True)
    )
    return rows.one_or_none()


async def why_not_usable(tx: Tx, method: ContactMethod, *, is_note: bool) -> NotUsable | None:
    """Say why nothing may be sent there at this moment; None: it may.

    A note may go to an address that is not verified: it is how it becomes so.
    """
    if method.retired_at is not None:
        return NotUsable.DELETED
    if not method.is_enabled:
        return NotUsable.SWITCHED_OFF
    if method.unverified_since is not None and not is_note:
        return NotUsable.NOT_VERIFIED
    if method.user_id is not None and not await is_active(tx, method.user_id):
        return NotUsable.NOT_ACTIVE
    if is_sealed(method.address) or is_sealed(method.signing_secret or ""):
        return NotUsable.SEALED
    return None


async def is_active(tx: Tx, user_id: UUID) -> bool:
    """Say whether the person is told of anything."""
    found: bool | None = await tx.session.scalar(select(User.is_active).where(User.id == user_id))
    return bool(found)


async def lock_unfinished_page(tx: Tx, contact_method_id: UUID) -> Page | None:
    """Lock the oldest page that is due for another attempt, or whose worker has died."""
    rows = await tx.session.scalars(
        select(Page)
        .where(Page.contact_method_id == contact_method_id, queries.is_due_again(tx.now))
        .order_by(Page.created_at, Page.id)
        .limit(1)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return rows.first()


async def claim_again(tx: Tx, method: ContactMethod, page: Page, base_url: str) -> Claim:
    """Claim the same page, under the same id, without the members that were overtaken."""
    if page.note:
        return await begin_attempt(tx, method, page, Members((), ()))
    locked = await lock_notifications(
        tx,
        Notification.page_id == page.id,
        Notification.status == NotificationStatus.SENDING,
    )
    members = await keep_relevant(tx, locked, base_url)
    if not members.incidents:
        page.status = PageStatus.CANCELLED
        page.next_attempt_at = page.lease_until = None
        return Dropped()
    return await begin_attempt(tx, method, page, members)


async def claim_new(
    tx: Tx, method: ContactMethod, incident_ids: list[UUID], base_url: str
) -> Claim:
    """Claim what is pending about these incidents into a new page."""
    locked = await lock_notifications(
        tx,
        Notification.contact_method_id == method.id,
        Notification.status == NotificationStatus.PENDING,
        Notification.due_at <= tx.now,
        Notification.incident_id.in_(incident_ids),
    )
    members = await keep_relevant(tx, locked, base_url)
    if not members.incidents:
        return Dropped()
    page = Page(
        id=new_id(),
        user_id=method.user_id,
        contact_method_id=method.id,
        channel=method.kind,
        priority=urgency(members.incidents),
        status=PageStatus.SENDING,
        attempts=0,
        created_at=tx.now,
        trace_context=next(iter(members.traces), None),
    )
    tx.session.add(page)
    await tx.flush()
    await tx.session.execute(
        update(Notification)
        .where(Notification.id.in_(members.notification_ids))
        .values(status=NotificationStatus.SENDING, page_id=page.id, updated_at=tx.now)
        .execution_options(synchronize_session=False)
    )
    return await begin_attempt(tx, method, page, members)


async def begin_attempt(tx: Tx, method: ContactMethod, page: Page, members: Members) -> Claimed:
    """Take the lease and number the attempt: only its holder may record a failure."""
    page.status = PageStatus.SENDING
    page.attempts += 1
    page.next_attempt_at = None
    page.lease_until = tx.now + LEASE
    tx.session.add(PageAttempt(page_id=page.id, number=page.attempts, started_at=tx.now))
    not_usable = await why_not_usable(tx, method, is_note=page.note is not None)
    return Claimed(
        page=OutgoingPage(
            page.id,
            urgency(members.incidents),
            members.incidents,
            sent_at=tx.now,
            note=page.note,
            attempt=page.attempts,
        ),
        address=Address(method.kind, method.address, method.signing_secret, not_usable),
        created_at=page.created_at,
        user_id=page.user_id,
        trace=page.trace_context,
        other_traces=tuple(each for each in members.traces if each != page.trace_context),
    )
