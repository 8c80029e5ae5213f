"""Who is sending: the key of a request becomes an integration, before the body is read."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from incident_service.catalog.models import Integration, IntegrationKind
from incident_service.catalog.queries import find_integration, load_rules, note_heard
from incident_service.catalog.routing import Rule
from incident_service.core.db import Transactions
from incident_service.core.errors import Forbidden, Unauthenticated


class IntegrationKeyNotValid(Unauthenticated):
    """Send the integration's key as a Bearer token, as the password of Basic, as X-API-Key or in the path; it is missing, unknown or expired."""  # noqa: E501 - one sentence


class IntegrationDisabled(Forbidden):
    """The integration is switched off."""


class WrongProtocol(Forbidden):
    """The key belongs to an integration of another kind; use that kind's address."""


@dataclass(frozen=True, slots=True)
class Sender:
    """An integration, and where its alerts go."""

    integration_id: UUID
    service_id: UUID
    rules: tuple[Rule, ...] = ()


async def authenticate(
    transactions: Transactions, key: str | None, kind: IntegrationKind
) -> Sender:
    """Find the integration of a key, in a transaction of its own.

    Raises:
        IntegrationKeyNotValid: no integration has this key, or no longer.
        IntegrationDisabled: it may not send at the moment.
        WrongProtocol: it may send, but not here.
    """
    if not key:
        raise IntegrationKeyNotValid
    async with transactions.open() as tx:
        integration = await find_integration(tx.session, key, tx.now)
        if integration is None:
            raise IntegrationKeyNotValid
        check(integration, kind)
        await note_heard(tx.session, integration, tx.now)
        rules = await load_rules(tx.session, integration.id)
    return Sender(integration.id, integration.service_id, rules)


def check(integration: Integration, kind: IntegrationKind) -> None:
    """Refuse an integration that may not send here; see `authenticate`."""
    if not integration.is_enabled:
        raise IntegrationDisabled
    if integration.kind != kind:
        raise WrongProtocol


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
