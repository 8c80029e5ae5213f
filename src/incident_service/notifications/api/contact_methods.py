"""HTTP: try an address, and prove that it is one's own. The path is the user's or the team's."""

from uuid import UUID

from fastapi import APIRouter

from incident_service.notifications import notes, queries
from incident_service.notifications.schemas import (
    AttemptRead,
    NoteSent,
    PageRead,
    Verification,
    VerificationResult,
)
from incident_service.teams import queries as teams
from incident_service.teams.actions import verification
from incident_service.teams.auth import Manager, Reader
from incident_service.teams.repeatable import RepeatableRoute
from incident_service.web.conditional import IfNoneMatch
from incident_service.web.request import InTx

router = APIRouter(route_class=RepeatableRoute)
METHOD = "/users/{user_id}/contact-methods/{contact_method_id}"


@router.post(f"{METHOD}/test", status_code=202, tags=["contact methods"])
async def test_contact_method(
    tx: InTx, principal: Manager, user_id: UUID, contact_method_id: UUID
) -> NoteSent:
    """Send a message there, to see whether it comes; at most one a minute to each person."""
    method = await verification.take_test(tx, user_id, contact_method_id, by=principal)
    page = await notes.send_note(tx, method, notes.TEST)
    return NoteSent(page_id=page.id)


@router.post(f"{METHOD}/send-code", status_code=202, tags=["contact methods"])
async def send_contact_method_code(
    tx: InTx, principal: Manager, user_id: UUID, contact_method_id: UUID
) -> NoteSent:
    """Send a code there: eight characters that are valid for an hour and for five tries."""
    method, code = await verification.make_code(tx, user_id, contact_method_id, by=principal)
    page = await notes.send_note(tx, method, notes.CODE.format(code=code))
    return NoteSent(page_id=page.id)


@router.post(f"{METHOD}/verify", tags=["contact methods"])
async def verify_contact_method(
    tx: InTx, principal: Manager, user_id: UUID, contact_method_id: UUID, body: Verification
) -> VerificationResult:
    """Bring the code back: from then on the address is paged. A wrong one is counted."""
    left = await verification.verify(tx, user_id, contact_method_id, body.code, by=principal)
    return VerificationResult(is_verified=left is None, tries_left=left or 0)


@router.post("/teams/{team_id}/channels/{channel_id}/test", status_code=202, tags=["team channels"])
async def test_team_channel(
    tx: InTx, principal: Manager, team_id: UUID, channel_id: UUID
) -> NoteSent:
    """Send a message there, to see whether it comes; at most one a minute."""
    page = await notes.send_channel_test(tx, team_id, channel_id, by=principal)
    return NoteSent(page_id=page.id)


@router.get("/pages/{page_id}", tags=["pages"])
async def get_page(tx: InTx, principal: Reader, page_id: UUID, known: IfNoneMatch) -> PageRead:
    """Show how a message to a person or a channel fares, attempt by attempt."""
    page, attempts = await queries.get_page(tx.session, page_id)
    if page.user_id:
        principal.require_colleague(await teams.find_person(tx.session, page.user_id))
    elif team_id := await queries.find_team_of(tx.session, page.contact_method_id):
        if not principal.sees(team_id):
            raise queries.PageNotFound
    else:
        principal.require_every_team()
    shown = PageRead(
        **{name: getattr(page, name) for name in PageRead.model_fields if name != "attempts"},
        attempts=[AttemptRead.model_validate(attempt) for attempt in attempts],
    )
    return known.show(shown)
