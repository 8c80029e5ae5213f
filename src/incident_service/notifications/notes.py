"""Send a person, or a team's channel, a message that is about no incident.

It goes the way of a page.
"""

import re
from uuid import UUID

from sqlalchemy import select

from incident_service import jobs
from incident_service.catalog.priority import Priority
from incident_service.core.db import Tx
from incident_service.core.ids import new_id
from incident_service.notifications import queries
from incident_service.notifications.models import Page, PageStatus
from incident_service.teams.actions.team_channels import lock_team_channel
from incident_service.teams.actions.verification import AGAIN_AFTER, JustSent
from incident_service.teams.auth import Principal
from incident_service.teams.models import ContactMethod

TEST = "This is a test of incident-service. Pages will reach you here."
CHANGED = "The address was changed before it was sent."
CODE = "Your code for incident-service is {code}. It is valid for an hour."
CODE_IN_IT = re.compile(re.escape(CODE).replace(re.escape("{code}"), r"(\w+)"))


async def send_channel_test(tx: Tx, team_id: UUID, channel_id: UUID, *, by: Principal) -> Page:
    """Send a test to a team's channel, once a minute.

    Raises:
        JustSent: the last one is on its way.
    """
    channel = await lock_team_channel(tx, team_id, channel_id, by)
    if await queries.was_noted_since(tx.session, channel_id, tx.now - AGAIN_AFTER):
        raise JustSent
    return await send_note(tx, channel, TEST)


async def cancel_notes(tx: Tx, contact_method_id: UUID) -> None:
    """Take back what an address was still to be told but for incidents: it is another one now.

    What is being sent at this moment may get through; should it fail, there is no further attempt.
    """
    pages = await tx.session.scalars(
        select(Page)
        .where(
            Page.contact_method_id == contact_method_id,
            Page.note.is_not(None),
            Page.status.in_([PageStatus.WAITING, PageStatus.SENDING]),
        )
        .order_by(Page.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    for page in pages:
        page.status = PageStatus.CANCELLED
        page.next_attempt_at = page.lease_until = None
        page.last_error = CHANGED
    await tx.flush()


async def send_note(tx: Tx, method: ContactMethod, note: str) -> Page:
    """Make a page that says `note`, due at once."""
    page = Page(
        id=new_id(),
        user_id=method.user_id,
        contact_method_id=method.id,
        channel=method.kind,
        priority=Priority.INFO,
        status=PageStatus.WAITING,
        attempts=0,
        next_attempt_at=tx.now,
        created_at=tx.now,
        note=note,
        trace_context=tx.trace_of(),
    )
    tx.session.add(page)
    await tx.flush()
    tx.enqueue(jobs.deliver(method.id, tx.now))
    return page


def code_in(note: str | None) -> str:
    """Return the code that a note tells: whoever sees it can say that the address is theirs."""
    found = CODE_IN_IT.fullmatch(note or "")
    return found[1] if found else ""
