"""Record how a delivery ended: the second of the two transactions round it.

A worker may be so late that its lease has run out and another has taken the page up. Then its
failure no longer counts. Its success does: what got through must not be sent again.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import select, update

from incident_service import jobs
from incident_service.core.db import Overtaken, Tx
from incident_service.incidents import locks, timeline
from incident_service.incidents.models import Incident
from incident_service.incidents.timeline import EventKind
from incident_service.notifications import otherwise
from incident_service.notifications.backoff import Decision, GiveUp, TryAgain, after_failure
from incident_service.notifications.channels.contract import DeliveryFailed
from incident_service.notifications.claim import Claimed
from incident_service.notifications.models import (
    Notification,
    NotificationStatus,
    Page,
    PageAttempt,
    PageStatus,
)
from incident_service.notifications.provider_status import in_words, is_failure
from incident_service.teams.models import User

GivenUp = Callable[[Tx, Collection[UUID]], Awaitable[object]]


async def nothing_follows(_tx: Tx, _incident_ids: Collection[UUID]) -> None:
    """Do nothing more about pages that were given up."""


class Outcome(StrEnum):
    """What became of an attempt; `late`: another attempt's result stands."""

    SENT = "sent"
    RETRY = "retry"
    FAILED = "failed"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong with a page, and for what reason it is given up.

    Unless it is a matter of `only_this_address`, the way to all of them may be broken.
    """

    error: str
    reason: str
    only_this_address: bool


async def succeeded(
    tx: Tx, claimed: Claimed, detail: str, *, given_up: GivenUp = nothing_follows
) -> Outcome:
    """Record that the channel has the page.

    The provider may have been faster, and have reported that it does not get through: then the
    page has failed, as `failed` describes it.

    Raises:
        Overtaken: that report came between two statements; begin again, to lock in order.
    """
    attempt = await read_attempt(tx, claimed)
    if attempt is not None and is_failure(attempt.provider_status):
        failure = failure_by_provider(attempt.provider_status, attempt.provider_error)
        return await give_up(tx, claimed, failure, given_up, taken=detail)
    page = await lock_page(tx, claimed.page.id)
    reported = await finish_attempt(tx, claimed, delivered=True, detail=detail)
    if is_failure(reported):
        raise Overtaken
    if page is None:
        return Outcome.LATE
    if page.status is PageStatus.SENT:
        return Outcome.SENT if reported else Outcome.LATE
    await mark_sent(tx, page)
    return Outcome.SENT


async def mark_sent(tx: Tx, page: Page) -> None:
    """Let a locked page, and its members, count as sent."""
    page.status = PageStatus.SENT
    page.sent_at = tx.now
    page.next_attempt_at = page.lease_until = page.last_error = None
    told = (NotificationStatus.SENDING, NotificationStatus.FAILED)
    await move_members(tx, page.id, told, NotificationStatus.SENT)


async def failed(
    tx: Tx,
    claimed: Claimed,
    failure: DeliveryFailed,
    *,
    jitter: float,
    given_up: GivenUp = nothing_follows,
) -> Outcome:
    """Record that the attempt failed, and what follows: another attempt, or giving up.

    `jitter` is a random number from 0 to 1. `given_up` is asked last: the domains above may have
    something to do for incidents of which an address will not hear.
    """
    match decide(tx, claimed, failure, jitter):
        case TryAgain(delay):
            return await wait(tx, claimed, str(failure), delay)
        case GiveUp(reason):
            why = Failure(str(failure), reason, only_this_address=failure.permanent)
            return await give_up(tx, claimed, why, given_up)


def decide(tx: Tx, claimed: Claimed, failure: DeliveryFailed, jitter: float) -> Decision:
    """Ask `backoff`."""
    wish = failure.retry_after_s
    return after_failure(
        attempts=claimed.attempt,
        age=tx.now - claimed.created_at,
        jitter=jitter,
        permanent=failure.permanent,
        retry_after=None if wish is None else timedelta(seconds=min(wish, 86_400)),
    )


async def wait(tx: Tx, claimed: Claimed, error: str, delay: timedelta) -> Outcome:
    """Plan the next attempt."""
    page = await lock_page(tx, claimed.page.id)
    await finish_attempt(tx, claimed, delivered=False, detail=error)
    if page is None or not holds_lease(page, claimed):
        return Outcome.LATE
    page.status = PageStatus.WAITING
    page.lease_until = None
    page.next_attempt_at = tx.now + delay
    page.last_error = error
    tx.enqueue(jobs.deliver(page.contact_method_id, page.next_attempt_at))
    return Outcome.RETRY


async def give_up(
    tx: Tx, claimed: Claimed, failure: Failure, given_up: GivenUp, *, taken: str | None = None
) -> Outcome:
    """Fail the page if this attempt still decides about it.

    `taken` is the channel's answer when it did take the page; else the failure is the answer.
    """
    incident_ids = [incident.id for incident in claimed.page.incidents]
    incidents = await locks.lock(tx.session, incident_ids)  # before pages and notifications
    page = await lock_page(tx, claimed.page.id)
    detail = failure.error if taken is None else taken
    await finish_attempt(tx, claimed, delivered=taken is not None, detail=detail)
    if page is None or not holds_lease(page, claimed):
        return Outcome.LATE
    await fail_page(tx, page, incidents, failure, given_up)
    return Outcome.FAILED


async def fail_page(
    tx: Tx, page: Page, incidents: Mapping[UUID, Incident], failure: Failure, given_up: GivenUp
) -> None:
    """Fail the page and its members, say so in the timelines, and try what else there is.

    The incidents, all that the page is about, and then the page have been locked.
    """
    page.status = PageStatus.FAILED
    page.lease_until = page.next_attempt_at = None
    page.last_error = failure.error
    before = (NotificationStatus.SENDING, NotificationStatus.SENT)
    await move_members(tx, page.id, before, NotificationStatus.FAILED)
    user = await tx.session.get(User, page.user_id) if page.user_id else None
    for incident in incidents.values():
        tell_timeline(tx, incident, page, failure.reason, user.name if user else None)
    await otherwise.try_next_addresses(tx, page)
    if not failure.only_this_address:
        why = f"a page by {page.channel.value} did not get through"
        await otherwise.tell_fallback(
            tx, list(incidents.values()), why, unless=page.contact_method_id
        )
    await tx.flush()
    await given_up(tx, incidents.keys())


def failure_by_provider(status: str | None, error: str | None) -> Failure:
    """Describe the failure of a page that its provider had taken."""
    words = in_words(status, error)
    return Failure(f"{words}.", words, only_this_address=True)


def tell_timeline(tx: Tx, incident: Incident, page: Page, reason: str, person: str | None) -> None:
    """Record that somebody was not reached, and whom to ask about it."""
    data: dict[str, Any] = {
        "page_id": str(page.id),
        "channel": page.channel.value,
        "user_id": str(page.user_id) if page.user_id else None,
        "user_name": person,
        "contact_method_id": str(page.contact_method_id),
        "attempts": page.attempts,
        "error": page.last_error,
    }
    timeline.record(
        tx,
        incident,
        EventKind.PAGE_FAILED,
        reason=f"A page by {page.channel.value} was given up: {reason}.",
        data=data,
    )


async def lock_page(tx: Tx, page_id: UUID) -> Page | None:
    """Lock and read the page; None when its address was deleted meanwhile."""
    rows = await tx.session.scalars(
        select(Page)
        .where(Page.id == page_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return rows.one_or_none()


def holds_lease(page: Page, claimed: Claimed) -> bool:
    """Say whether this attempt is still the page's last, and its result still open."""
    return page.status is PageStatus.SENDING and page.attempts == claimed.attempt


async def read_attempt(tx: Tx, claimed: Claimed) -> PageAttempt | None:
    """Read the attempt's own row, without locking it; None when its address was deleted."""
    return await tx.session.get(
        PageAttempt, (claimed.page.id, claimed.attempt), populate_existing=True
    )


async def finish_attempt(tx: Tx, claimed: Claimed, *, delivered: bool, detail: str) -> str | None:
    """Complete the attempt's own row: that is true even when it came too late to matter.

    Returns what the provider has reported of it.
    """
    reported: str | None = await tx.session.scalar(
        update(PageAttempt)
        .where(PageAttempt.page_id == claimed.page.id, PageAttempt.number == claimed.attempt)
        .values(finished_at=tx.now, delivered=delivered, detail=detail)
        .returning(PageAttempt.provider_status)
        .execution_options(synchronize_session=False)
    )
    return reported


async def move_members(
    tx: Tx,
    page_id: UUID,
    before: tuple[NotificationStatus, ...],
    after: NotificationStatus,
) -> None:
    """Give the page's members that are in one of `before` a new status."""
    await tx.session.execute(
        update(Notification)
        .where(Notification.page_id == page_id, Notification.status.in_(before))
        .values(status=after, updated_at=tx.now)
        .execution_options(synchronize_session=False)
    )
