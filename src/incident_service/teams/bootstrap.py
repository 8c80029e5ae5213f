"""What the settings make at the start: the first admin key, and the fallback contact.

Several processes may start at once; an advisory lock lets them take turns.
"""

from sqlalchemy import func, select

from incident_service.core import tokens
from incident_service.core.db import Tx
from incident_service.core.errors import Invalid
from incident_service.core.ids import new_id
from incident_service.core.rows import change_row
from incident_service.teams import addresses
from incident_service.teams.actions.contact_methods import make_signing_secret
from incident_service.teams.models import ApiKey, Channel, ContactMethod, Scope
from incident_service.teams.queries import IS_FALLBACK

STARTING = 7_203_516_948_120_331  # any number that nobody else locks
SHORTEST_KEY = 20
# The operator chose the key: it may be short, and its beginning a word.
SHOWN = 4


class KeyTooWeak(Invalid):
    """BOOTSTRAP_API_KEY needs at least 20 visible ASCII characters and no spaces."""


class ContactUnreadable(Invalid):
    """FALLBACK_CONTACT must be like mailto:a@example.org, ntfy:topic, sms:+49… or https://host."""


async def take_turn(tx: Tx) -> None:
    """Wait until no other process is starting; the turn ends with the transaction."""
    await tx.session.execute(select(func.pg_advisory_xact_lock(STARTING)))


async def ensure_bootstrap_key(tx: Tx, key: str) -> bool:
    """Make the first admin key, once in the life of the installation; say whether it was now.

    Once made, it stays as people left it: a revoked one is not made again, and a change of the
    setting makes no second one.

    Raises:
        KeyTooWeak: it could be guessed, or not be sent in a header.
    """
    if len(key) < SHORTEST_KEY or not key.isascii() or not addresses.is_plain(key):
        raise KeyTooWeak("")
    await take_turn(tx)
    if await tx.session.scalar(select(ApiKey.id).where(ApiKey.is_bootstrap).limit(1)):
        return False
    tx.session.add(
        ApiKey(
            id=new_id(),
            name="bootstrap",
            key_digest=tokens.digest(key),
            hint=key[:SHOWN],
            scopes=[Scope.ADMIN.value],
            is_bootstrap=True,
            created_at=tx.now,
            updated_at=tx.now,
        )
    )
    await tx.flush()
    return True


async def ensure_fallback_contact(tx: Tx, contact: str) -> None:
    """Make the setting the one enabled contact of the installation; an empty text: none.

    Contacts of earlier settings are kept, disabled: the record of what they were sent refers to
    them, and one that comes back keeps its signing secret.

    Raises:
        ContactUnreadable: the setting is not an address that can be used.
    """
    wanted = read_contact(contact.strip()) if contact.strip() else None
    await take_turn(tx)
    found = False
    for method in await tx.session.scalars(
        select(ContactMethod).where(IS_FALLBACK).with_for_update()
    ):
        is_wanted = (method.kind, method.address) == wanted
        found = found or is_wanted
        if method.is_enabled != is_wanted:
            change_row(method, {"is_enabled": is_wanted}, tx.now)
    if wanted and not found:
        tx.session.add(make_fallback(tx, *wanted))
    await tx.flush()


def read_contact(contact: str) -> tuple[Channel, str]:
    """Read and check the setting.

    Raises:
        ContactUnreadable: it is not an address that can be used.
    """
    wanted = addresses.read_contact(contact)
    if wanted is None:
        raise ContactUnreadable("")
    if problem := addresses.problem_with(*wanted):
        raise ContactUnreadable(f"FALLBACK_CONTACT: {problem}")
    return wanted


def make_fallback(tx: Tx, kind: Channel, address: str) -> ContactMethod:
    """Make a contact that belongs to the installation instead of a person."""
    return ContactMethod(
        id=new_id(),
        user_id=None,
        kind=kind,
        address=address,
        bundle=True,
        is_enabled=True,
        signing_secret=make_signing_secret(kind),
        created_at=tx.now,
        updated_at=tx.now,
    )
