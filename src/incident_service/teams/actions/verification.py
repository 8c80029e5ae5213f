"""Make sure that an address is its person's: a code is sent there and has to come back."""

import secrets
from datetime import timedelta
from uuid import UUID

from incident_service.core import tokens
from incident_service.core.db import Tx
from incident_service.core.errors import Conflict
from incident_service.core.rows import change_row
from incident_service.teams import queries
from incident_service.teams.actions.users import lock_own_person
from incident_service.teams.auth import Principal
from incident_service.teams.models import ContactMethod, User

# 40 bits: nobody guesses one of these within its hour, however often new ones are asked for.
ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
LENGTH = 8
VALID_FOR = timedelta(hours=1)
AGAIN_AFTER = timedelta(minutes=1)
MOST_ATTEMPTS = 5


class AlreadyVerified(Conflict):
    """This address is paged already; it needs no code."""


class NotVerified(Conflict):
    """It is not shown yet whose address this is; verify it first."""


class JustSent(Conflict):
    """Something was sent there less than a minute ago; wait for it."""


async def make_code(
    tx: Tx, user_id: UUID, contact_method_id: UUID, *, by: Principal
) -> tuple[ContactMethod, str]:
    """Return the address, and a new code for it, of which only the hash is kept.

    Raises:
        AlreadyVerified: it needs none.
        JustSent: see `take_turn`.
    """
    user = await lock_own_person(tx, user_id, by)
    method = await queries.get_contact_method(tx.session, user_id, contact_method_id, lock=True)
    if method.unverified_since is None:
        raise AlreadyVerified
    take_turn(tx, user)
    code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    method.code_digest = digest(method, code)
    method.code_expires_at = tx.now + VALID_FOR
    method.code_attempts = 0
    await tx.flush()
    return method, code


async def take_test(
    tx: Tx, user_id: UUID, contact_method_id: UUID, *, by: Principal
) -> ContactMethod:
    """Return an address to which a test may be sent.

    Raises:
        NotVerified: it may be a stranger's.
        JustSent: see `take_turn`.
    """
    user = await lock_own_person(tx, user_id, by)
    method = await queries.get_contact_method(tx.session, user_id, contact_method_id)
    if method.unverified_since is not None:
        raise NotVerified
    take_turn(tx, user)
    await tx.flush()
    return method


def take_turn(tx: Tx, user: User) -> None:
    """Let a person be sent one code or test a minute, whatever the address: none is for pestering.

    Raises:
        JustSent: the last one is on its way.
    """
    if user.last_note_at is not None and tx.now < user.last_note_at + AGAIN_AFTER:
        raise JustSent
    user.last_note_at = tx.now


async def verify(
    tx: Tx, user_id: UUID, contact_method_id: UUID, code: str, *, by: Principal
) -> int | None:
    """Let the address be paged from now on if the code is right.

    Returns None then, else how many tries are left: a wrong one has to be counted, not rolled back.
    """
    await lock_own_person(tx, user_id, by)
    method = await queries.get_contact_method(tx.session, user_id, contact_method_id, lock=True)
    if method.unverified_since is None:
        return None
    method.code_attempts += 1
    is_valid = method.code_expires_at is not None and tx.now < method.code_expires_at
    is_right = secrets.compare_digest(method.code_digest or "", digest(method, code.upper()))
    is_verified = is_valid and is_right and method.code_attempts <= MOST_ATTEMPTS
    if is_verified:
        done = {"unverified_since": None, "code_digest": None, "code_expires_at": None}
        change_row(method, done, tx.now)
    await tx.flush()
    if is_verified:
        return None
    return max(MOST_ATTEMPTS - method.code_attempts, 0) if is_valid else 0


def digest(method: ContactMethod, code: str) -> str:
    """Return the hash of a code for this address and no other."""
    return tokens.digest(f"{method.id}:{code}")
