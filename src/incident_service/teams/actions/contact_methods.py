"""Make, change and delete the ways to reach a person."""

import base64
import secrets
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from incident_service.core.db import Tx
from incident_service.core.errors import Conflict, Invalid
from incident_service.core.ids import new_id
from incident_service.core.rows import change_row, lock_to_delete
from incident_service.teams import addresses, queries
from incident_service.teams.actions.users import lock_own_person
from incident_service.teams.auth import Principal
from incident_service.teams.hooks import PeopleHooks
from incident_service.teams.in_use import InUse, refuse_while_in_use
from incident_service.teams.models import Channel, ContactMethod, Scope
from incident_service.teams.schemas import ContactMethodCreate

SECRET_BYTES = 32
RETIRED: dict[str, Any] = {
    "is_enabled": False,
    "address": "",
    "signing_secret": None,
    "code_digest": None,
    "code_expires_at": None,
}
# A webhook has nobody who could read a code; what Apprise calls is the operator's.
UNVERIFIED = (Channel.WEBHOOK, Channel.APPRISE, Channel.CONSOLE)


class AddressNotUsable(Invalid):
    """The channel cannot use this address."""


class ChannelNotOffered(Invalid):
    """The console is made by `dev` only; use another channel."""


class NotSigned(Conflict):
    """Only webhooks are signed; this contact method has no secret."""


def make_signing_secret(kind: Channel) -> str | None:
    """Make the secret that webhooks are signed with; None for other kinds.

    Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """
    if kind is not Channel.WEBHOOK:
        return None
    return "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def require_usable(kind: Channel, address: str) -> None:
    """Refuse an address that the channel cannot use.

    Raises:
        AddressNotUsable: with the reason.
    """
    if problem := addresses.problem_with(kind, address):
        raise AddressNotUsable(problem, "/address")


def is_vouched_for(kind: Channel, by: Principal) -> bool:
    """Say whether an address is paged without a code: a machine's, or one that an admin sets."""
    return kind in UNVERIFIED or by.may(Scope.ADMIN)


async def create_contact_method(
    tx: Tx, user_id: UUID, wanted: ContactMethodCreate, *, by: Principal
) -> ContactMethod:
    """Make a way to reach the person; a webhook gets a secret to be signed with.

    Raises:
        ChannelNotOffered: it is the console.
        AddressNotUsable: the channel cannot use the address.
        KeyLimited: others rely on the person too.
    """
    await lock_own_person(tx, user_id, by)
    if wanted.kind is Channel.CONSOLE:
        raise ChannelNotOffered("", "/kind")
    require_usable(wanted.kind, wanted.address)
    method = ContactMethod(
        id=new_id(),
        user_id=user_id,
        **wanted.model_dump(),
        is_enabled=True,
        unverified_since=None if is_vouched_for(wanted.kind, by) else tx.now,
        signing_secret=make_signing_secret(wanted.kind),
        created_at=tx.now,
        updated_at=tx.now,
    )
    tx.session.add(method)
    await tx.flush()
    return method


async def update_contact_method(
    tx: Tx,
    user_id: UUID,
    contact_method_id: UUID,
    changes: dict[str, Any],
    *,
    hooks: PeopleHooks,
    by: Principal,
) -> ContactMethod:
    """Change the given columns; a webhook keeps its secret when its address changes.

    What was to be said to the old address, but for pages, is not said to the new one.

    Raises:
        AddressNotUsable: the channel cannot use the new address.
        KeyLimited: others rely on the person too.
    """
    await lock_own_person(tx, user_id, by)
    method = await queries.get_contact_method(tx.session, user_id, contact_method_id, lock=True)
    is_another = changes.get("address", method.address) != method.address
    if is_another:
        require_usable(method.kind, changes["address"])
        since = None if is_vouched_for(method.kind, by) else tx.now
        changes = {
            **changes,
            "unverified_since": since,
            "code_digest": None,
            "code_expires_at": None,
        }
    change_row(method, changes, tx.now)
    await tx.flush()
    if is_another:
        await hooks.address_changed(tx, method.id)
    return method


async def rotate_signing_secret(
    tx: Tx, user_id: UUID, contact_method_id: UUID, *, by: Principal
) -> ContactMethod:
    """Give a webhook a new secret; the old one signs nothing any more.

    Raises:
        NotSigned: it is not a webhook.
        KeyLimited: others rely on the person too.
    """
    await lock_own_person(tx, user_id, by)
    method = await queries.get_contact_method(tx.session, user_id, contact_method_id, lock=True)
    if method.kind is not Channel.WEBHOOK:
        raise NotSigned
    change_row(method, {"signing_secret": make_signing_secret(method.kind)}, tx.now)
    await tx.flush()
    return method


async def delete_contact_method(
    tx: Tx,
    user_id: UUID,
    contact_method_id: UUID,
    checks: Sequence[InUse],
    *,
    hooks: PeopleHooks,
    by: Principal,
) -> None:
    """Delete it, or retire it when it was told of incidents.

    Raises:
        KeyLimited: others rely on the person too.
        StillReferenced: a check found that something is still to be sent to it.
    """
    await lock_own_person(tx, user_id, by)
    method = await queries.get_contact_method(tx.session, user_id, contact_method_id, lock=True)
    await lock_to_delete(tx.session, method)
    await refuse_while_in_use(tx, contact_method_id, checks)
    await delete_or_retire(tx, method, hooks)


async def delete_or_retire(tx: Tx, method: ContactMethod, hooks: PeopleHooks) -> None:
    """Delete a locked contact method; of one that was told of incidents keep who and how.

    Without its address and its secret: nobody needs them for the record.
    """
    if await hooks.was_told(tx, method.id):
        change_row(method, RETIRED | {"retired_at": tx.now}, tx.now)
    else:
        await tx.session.delete(method)
    await tx.flush()
