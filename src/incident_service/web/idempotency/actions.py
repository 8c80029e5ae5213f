"""Begin a request under a key, and keep its answer."""

import hmac
from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from incident_service.core.db import Tx
from incident_service.core.errors import Conflict, Invalid, Malformed
from incident_service.core.ids import new_id
from incident_service.web.idempotency.attempts import Answer, Attempt
from incident_service.web.idempotency.models import IdempotencyKey

KEPT_FOR = timedelta(hours=24)
POINTER = "/header/Idempotency-Key"


class IdempotencyKeyReused(Invalid):
    """Another request was sent under this Idempotency-Key; use a new one for each thing to do."""


class IdempotencyKeyRepeated(Malformed):
    """The request has several Idempotency-Keys; send one."""


class IdempotencyKeyInUse(Conflict):
    """The first request under this Idempotency-Key is still being worked on; send it again soon."""

    retry_after_s = 1


async def begin(tx: Tx, attempt: Attempt) -> Answer | None:
    """Take the key until the transaction ends; return the answer that was given under it, if any.

    The first statement of the transaction that locks anything, and it never waits: so it cannot be
    part of a deadlock, and requests that are sent again in haste do not take all connections.

    Raises:
        IdempotencyKeyInUse: another transaction has it.
        IdempotencyKeyReused: the answer was to another request.
    """
    if not await tx.session.scalar(select(func.pg_try_advisory_xact_lock(attempt.lock))):
        raise IdempotencyKeyInUse
    # A statement of its own: its snapshot must be younger than the lock.
    return await find_answer(tx, attempt)


async def find_answer(tx: Tx, attempt: Attempt) -> Answer | None:
    """Return the answer that was given under the key; one that is too old is forgotten.

    Raises:
        IdempotencyKeyReused: the answer was to another request.
    """
    row = await tx.session.scalar(
        select(IdempotencyKey).where(
            IdempotencyKey.api_key_id == attempt.api_key_id, IdempotencyKey.key == attempt.key
        )
    )
    if row is None:
        return None
    if row.created_at <= tx.now - KEPT_FOR:
        await tx.session.execute(delete(IdempotencyKey).where(IdempotencyKey.id == row.id))
        return None
    if not hmac.compare_digest(row.request_digest, attempt.digest):
        raise IdempotencyKeyReused(str(IdempotencyKeyReused.__doc__), POINTER)
    return Answer(row.status, row.headers, attempt.open(row.body))


async def keep(tx: Tx, attempt: Attempt, answer: Answer) -> bool:
    """Keep the answer if the transaction commits; say whether there was none before."""
    row = {
        "id": new_id(),
        "api_key_id": attempt.api_key_id,
        "key": attempt.key,
        "request_digest": attempt.digest,
        "status": answer.status,
        "headers": answer.headers,
        "body": attempt.seal(answer.body),
        "created_at": tx.now,
    }
    statement = insert(IdempotencyKey).values(row).on_conflict_do_nothing()
    kept = await tx.session.scalar(statement.returning(IdempotencyKey.id))
    return kept is not None
