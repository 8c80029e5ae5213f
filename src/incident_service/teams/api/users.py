"""HTTP: users."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request

from incident_service.core.db import Tx
from incident_service.teams import queries
from incident_service.teams.actions import users as actions
from incident_service.teams.api.hooks import Hooks
from incident_service.teams.auth import Manager, Principal, Reader
from incident_service.teams.in_use import InUse
from incident_service.teams.repeatable import RepeatableRoute
from incident_service.teams.schemas import UserCreate, UserPage, UserRead, UserUpdate
from incident_service.web.conditional import IfMatch, IfNoneMatch, Tagged
from incident_service.web.lists.pagination import PageQuery, page_query
from incident_service.web.request import InTx

router = APIRouter(prefix="/users", tags=["users"], route_class=RepeatableRoute)


def user_in_use(request: Request) -> Sequence[InUse]:
    """Return what the domains above want to be asked before a user goes."""
    checks: Sequence[InUse] = request.app.state.user_in_use
    return checks


def user_on_call(request: Request) -> Sequence[InUse]:
    """Return what the domains above want to be asked before a user is no longer paged."""
    checks: Sequence[InUse] = request.app.state.user_on_call
    return checks


async def locked(tx: Tx, user_id: UUID, principal: Principal) -> UserRead:
    """Lock a user whom the caller may change, and show them."""
    return UserRead.model_validate(await actions.lock_own_person(tx, user_id, principal))


@router.get("")
async def list_users(
    tx: InTx,
    _principal: Reader,
    page: Annotated[PageQuery, Depends(page_query)],
    reachable: Annotated[
        bool | None,
        Query(description="Only those who can be paged, or only those who cannot."),
    ] = None,
) -> UserPage:
    """List all users, oldest first."""
    rows, next_cursor = await queries.list_users(tx.session, page, reachable=reachable)
    return UserPage(items=[UserRead.model_validate(row) for row in rows], next_cursor=next_cursor)


@router.post("", status_code=201)
async def create_user(tx: InTx, principal: Manager, body: UserCreate, tagged: Tagged) -> UserRead:
    """Make a user. Not for keys that are limited to teams."""
    user = await actions.create_user(tx, body, by=principal)
    return tagged.show(UserRead.model_validate(user))


@router.get("/{user_id}")
async def get_user(tx: InTx, _principal: Reader, user_id: UUID, known: IfNoneMatch) -> UserRead:
    """Show one user."""
    return known.show(UserRead.model_validate(await queries.get_user(tx.session, user_id)))


@router.patch("/{user_id}")
async def update_user(
    tx: InTx,
    principal: Manager,
    user_id: UUID,
    body: UserUpdate,
    seen: IfMatch,
    checks: Annotated[Sequence[InUse], Depends(user_on_call)],
    hooks: Hooks,
    force: Annotated[
        bool,
        Query(
            description="Make somebody inactive whom policies or schedules still name. Levels "
            "that page nobody else are then passed over."
        ),
    ] = False,
) -> UserRead:
    """Change a user. A limited key may do so for members of its own teams and no other."""
    await seen.require(locked, tx, user_id, principal)
    checks = () if force else checks
    user = await actions.update_user(tx, user_id, body.changes(), checks, hooks=hooks, by=principal)
    return seen.show(UserRead.model_validate(user))


@router.delete("/{user_id}", status_code=204)
async def delete_user(
    tx: InTx,
    principal: Manager,
    user_id: UUID,
    seen: IfMatch,
    checks: Annotated[Sequence[InUse], Depends(user_in_use)],
) -> None:
    """Delete a user whom no escalation policy names. Not for keys that are limited to teams."""
    await seen.require(locked, tx, user_id, principal)
    await actions.delete_user(tx, user_id, checks, by=principal)
