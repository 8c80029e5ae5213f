"""HTTP: the ways to reach a user.

Addresses are half a secret (who knows an ntfy topic can read it), so a key that is limited to
teams reads only those of its teams' members.
"""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request

from incident_service.core.db import Tx
from incident_service.teams import queries
from incident_service.teams.actions import contact_methods as actions
from incident_service.teams.actions.users import lock_own_person
from incident_service.teams.api.hooks import Hooks
from incident_service.teams.auth import Manager, Principal, Reader
from incident_service.teams.in_use import InUse
from incident_service.teams.repeatable import RepeatableRoute
from incident_service.teams.schemas import (
    ContactMethodCreate,
    ContactMethodCreated,
    ContactMethodPage,
    ContactMethodRead,
    ContactMethodUpdate,
)
from incident_service.web.conditional import IfMatch, IfNoneMatch, Tagged
from incident_service.web.lists.pagination import PageQuery, page_query
from incident_service.web.request import InTx

router = APIRouter(
    prefix="/users/{user_id}/contact-methods", tags=["contact methods"], route_class=RepeatableRoute
)


def contact_method_in_use(request: Request) -> Sequence[InUse]:
    """Return what the domains above want to be asked before an address goes."""
    checks: Sequence[InUse] = request.app.state.contact_method_in_use
    return checks


async def locked(
    tx: Tx, user_id: UUID, contact_method_id: UUID, principal: Principal
) -> ContactMethodRead:
    """Lock the user and the contact method, and show that."""
    await lock_own_person(tx, user_id, principal)
    method = await queries.get_contact_method(tx.session, user_id, contact_method_id, lock=True)
    return ContactMethodRead.model_validate(method)


@router.get("")
async def list_contact_methods(
    tx: InTx,
    principal: Reader,
    user_id: UUID,
    page: Annotated[PageQuery, Depends(page_query)],
) -> ContactMethodPage:
    """List the ways to reach a user, oldest first."""
    await queries.get_user(tx.session, user_id)
    principal.require_colleague(await queries.find_person(tx.session, user_id))
    rows, next_cursor = await queries.list_contact_methods(tx.session, user_id, page)
    items = [ContactMethodRead.model_validate(row) for row in rows]
    return ContactMethodPage(items=items, next_cursor=next_cursor)


@router.post("", status_code=201)
async def create_contact_method(
    tx: InTx, principal: Manager, user_id: UUID, body: ContactMethodCreate, tagged: Tagged
) -> ContactMethodCreated:
    """Add a way to reach a user. A webhook's signing secret is shown in this answer only."""
    method = await actions.create_contact_method(tx, user_id, body, by=principal)
    return tagged.show(ContactMethodCreated.model_validate(method))


@router.get("/{contact_method_id}")
async def get_contact_method(
    tx: InTx, principal: Reader, user_id: UUID, contact_method_id: UUID, known: IfNoneMatch
) -> ContactMethodRead:
    """Show one contact method."""
    method = await queries.get_contact_method(tx.session, user_id, contact_method_id)
    principal.require_colleague(await queries.find_person(tx.session, user_id))
    return known.show(ContactMethodRead.model_validate(method))


@router.patch("/{contact_method_id}")
async def update_contact_method(
    tx: InTx,
    principal: Manager,
    user_id: UUID,
    contact_method_id: UUID,
    body: ContactMethodUpdate,
    hooks: Hooks,
    seen: IfMatch,
) -> ContactMethodRead:
    """Change a contact method."""
    await seen.require(locked, tx, user_id, contact_method_id, principal)
    method = await actions.update_contact_method(
        tx, user_id, contact_method_id, body.changes(), hooks=hooks, by=principal
    )
    return seen.show(ContactMethodRead.model_validate(method))


@router.post("/{contact_method_id}/rotate-secret")
async def rotate_contact_method_secret(
    tx: InTx, principal: Manager, user_id: UUID, contact_method_id: UUID, tagged: Tagged
) -> ContactMethodCreated:
    """Give a webhook a new signing secret, shown in this answer only; the old one is void."""
    method = await actions.rotate_signing_secret(tx, user_id, contact_method_id, by=principal)
    return tagged.show(ContactMethodCreated.model_validate(method))


@router.delete("/{contact_method_id}", status_code=204)
async def delete_contact_method(
    tx: InTx,
    principal: Manager,
    user_id: UUID,
    contact_method_id: UUID,
    checks: Annotated[Sequence[InUse], Depends(contact_method_in_use)],
    hooks: Hooks,
    seen: IfMatch,
) -> None:
    """Delete a contact method; the record of what it was told about incidents stays.

    Not while a page to it is on its way: disable it instead, or wait.
    """
    await seen.require(locked, tx, user_id, contact_method_id, principal)
    await actions.delete_contact_method(
        tx, user_id, contact_method_id, checks, hooks=hooks, by=principal
    )
