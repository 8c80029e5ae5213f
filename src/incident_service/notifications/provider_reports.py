"""Take what a provider reports about an attempt after it has taken it: the last word on a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from incident_service.core.db import Tx
from incident_service.incidents import locks
from incident_service.notifications import record
from incident_service.notifications.models import Notification, Page, PageAttempt, PageStatus
from incident_service.notifications.provider_status import (
    Tried,
    got_nowhere,
    is_failure,
    moves_on,
)
from incident_service.notifications.queries import PageNotFound
from incident_service.notifications.record import GivenUp, nothing_follows


@dataclass(frozen=True, slots=True)
class Report:
    """What is said of attempt number `attempt`; `error` is the provider's number of a failure."""

    attempt: int
    status: str
    error: str | None = None


async def take_report(
    tx: Tx, page_id: UUID, report: Report, *, given_up: GivenUp = nothing_follows
) -> Page | None:
    """Move the attempt's status forwards, and do what follows; return the page if it has failed.

    A report may come before our own record of the send. One that is good says what an answer
    would have said: the provider has the page. A failure then waits for `record.succeeded`.

    Raises:
        PageNotFound: there is no such page, or it has no such attempt.
    """
    is_bad = is_failure(report.status)
    incident_ids = await find_incidents(tx, page_id) if is_bad else []
    incidents = await locks.lock(tx.session, incident_ids)  # before pages and notifications
    page = await record.lock_page(tx, page_id)
    attempts = await load_attempts(tx, page_id)
    attempt = next((each for each in attempts if each.number == report.attempt), None)
    if page is None or attempt is None:
        raise PageNotFound
    if not moves_on(page.channel, attempt.provider_status, report.status):
        return None
    attempt.provider_status = report.status
    attempt.provider_status_at = tx.now
    attempt.provider_error = report.error if is_bad else None
    if not is_bad:
        await mark_taken(tx, page)
        return None
    if page.status is not PageStatus.SENT or not got_nowhere(
        [Tried(each.delivered, each.provider_status) for each in attempts]
    ):
        return None
    failure = record.failure_by_provider(report.status, report.error)
    await record.fail_page(tx, page, incidents, failure, given_up)
    return page


async def find_incidents(tx: Tx, page_id: UUID) -> Sequence[UUID]:
    """Return what the page is about; that does not change after its claim."""
    rows = await tx.session.scalars(
        select(Notification.incident_id).where(Notification.page_id == page_id)
    )
    return rows.all()


async def load_attempts(tx: Tx, page_id: UUID) -> Sequence[PageAttempt]:
    """Read the attempts of a page that is locked: nobody else writes to them meanwhile."""
    rows = await tx.session.scalars(
        select(PageAttempt)
        .where(PageAttempt.page_id == page_id)
        .execution_options(populate_existing=True)
    )
    return rows.all()


async def mark_taken(tx: Tx, page: Page) -> None:
    """Let the page count as sent: what got through must not be sent again."""
    if page.status not in (PageStatus.SENT, PageStatus.CANCELLED):
        await record.mark_sent(tx, page)
