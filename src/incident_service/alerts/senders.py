"""Who is sending: the key of a request becomes an integration, before the body is read.

What a key was found to be is remembered for a minute. That is never the last word: the statement
that all alerts pass looks at the integration again, see `repeats`, so a key that is revoked,
anywhere, is of no use from that commit on.
"""

import base64
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import or_, select, update

from incident_service.catalog.models import Integration, IntegrationKind
from incident_service.catalog.queries import find_integration, load_rules
from incident_service.catalog.routing import Rule
from incident_service.core import tokens
from incident_service.core.db import Transactions, Tx
from incident_service.core.errors import Forbidden, Unauthenticated

REMEMBERED = timedelta(minutes=1)
MOST_REMEMBERED = 1_000
HEARD_TO_THE = timedelta(minutes=1)


class IntegrationKeyNotValid(Unauthenticated):
    """Send the integration's key as a Bearer token, as the password of Basic, as X-API-Key or in the path; it is missing, unknown or expired."""  # noqa: E501 - one sentence

    challenge = 'Bearer, Basic realm="incident-service"'


class IntegrationDisabled(Forbidden):
    """The integration is switched off."""


class WrongProtocol(Forbidden):
    """The key belongs to an integration of another kind; use that kind's address."""


@dataclass(frozen=True, slots=True)
class Sender:
    """An integration as it was found by a key, and where its alerts go.

    `key_digest` is the key's; `rules_version` counts changes of the rules.
    """

    integration_id: UUID
    service_id: UUID
    kind: IntegrationKind = IntegrationKind.ALERTMANAGER
    key_digest: str = ""
    rules: tuple[Rule, ...] = ()
    rules_version: int = 1


class Senders:
    """Finds the senders of keys, and remembers them."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._remembered: dict[str, tuple[Sender, datetime]] = {}

    async def authenticate(self, key: str | None, kind: IntegrationKind) -> Sender:
        """Return the sender of a key.

        Raises:
            IntegrationKeyNotValid: no integration has this key, or no longer.
            IntegrationDisabled: it may not send at the moment.
            WrongProtocol: it may send, but not here.
        """
        if not key:
            raise IntegrationKeyNotValid
        digest = tokens.digest(key)
        sender, until = self._remembered.get(digest, (None, None))
        if sender is None or until is None or self._transactions.clock() >= until:
            sender = await self._look_up(key, digest)
        if sender.kind != kind:
            raise WrongProtocol
        return sender

    def forget(self, sender: Sender) -> None:
        """Look the sender's key up again when it comes next."""
        self._remembered.pop(sender.key_digest, None)

    async def _look_up(self, key: str, digest: str) -> Sender:
        self._remembered.pop(digest, None)
        async with self._transactions.open() as tx:
            integration = await find_integration(tx.session, key, tx.now)
            if integration is None:
                raise IntegrationKeyNotValid
            if not integration.is_enabled:
                raise IntegrationDisabled
            sender = Sender(
                integration.id,
                integration.service_id,
                integration.kind,
                digest,
                await load_rules(tx.session, integration.id),
                integration.rules_version,
            )
            if len(self._remembered) >= MOST_REMEMBERED:
                self._remembered.clear()
            self._remembered[digest] = (sender, tx.now + REMEMBERED)
        return sender


async def note_heard(tx: Tx, integration_ids: Collection[UUID]) -> None:
    """Note that senders are alive, once a minute; whom somebody else notes is passed over."""
    free = (
        select(Integration.id)
        .where(
            Integration.id.in_(integration_ids),
            or_(
                Integration.last_heard_at.is_(None),
                Integration.last_heard_at <= tx.now - HEARD_TO_THE,
            ),
        )
        .order_by(Integration.id)
        .with_for_update(key_share=True, skip_locked=True)
    )
    await tx.session.execute(
        update(Integration)
        .where(Integration.id.in_((await tx.session.scalars(free)).all()))
        .values(last_heard_at=tx.now)
        .execution_options(synchronize_session=False)
    )


def find_key(headers: Mapping[str, str]) -> str | None:
    """Return the key that the headers carry, if any.

    `X-API-Key` wins: a proxy on the way may have put its own credentials into `Authorization`.
    """
    if key := headers.get("x-api-key", "").strip():
        return key
    scheme, _, credentials = headers.get("authorization", "").strip().partition(" ")
    match scheme.lower():
        case "bearer" | "token":
            return credentials.strip()
        case "basic":
            return read_basic(credentials.strip())
        case _:
            return None


def read_basic(credentials: str) -> str | None:
    """Return the password, or the user when that is all there is."""
    try:
        text = base64.b64decode(credentials).decode("utf-8", "replace")
    except ValueError:  # not base64, or not even ASCII
        return None
    user, _, password = text.partition(":")
    return password or user
