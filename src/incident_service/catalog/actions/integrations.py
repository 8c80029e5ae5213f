"""Make, change and delete integrations, and give them keys."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from incident_service.catalog import queries
from incident_service.catalog.models import Integration
from incident_service.catalog.schemas import IntegrationCreate
from incident_service.core import tokens
from incident_service.core.db import Tx
from incident_service.core.ids import new_id
from incident_service.core.rows import change_row
from incident_service.core.tokens import Token
from incident_service.teams.auth import Principal

KEY_PREFIX = "isi"


async def create_integration(
    tx: Tx, wanted: IntegrationCreate, *, by: Principal
) -> tuple[Integration, str]:
    """Make an integration and return it with its key, which is kept nowhere.

    Raises:
        ServiceNotFound: the service does not exist for the caller.
    """
    await queries.get_service(tx.session, wanted.service_id, by, lock=True)
    token = tokens.make(KEY_PREFIX)
    integration = Integration(
        id=new_id(),
        **wanted.model_dump(),
        is_enabled=True,
        key_digest=token.digest,
        key_hint=token.hint,
        created_at=tx.now,
        updated_at=tx.now,
    )
    tx.session.add(integration)
    await tx.flush()
    return integration, token.text


async def update_integration(
    tx: Tx, integration_id: UUID, changes: dict[str, Any], *, by: Principal
) -> Integration:
    """Change the given columns.

    Raises:
        ServiceNotFound: the new service does not exist for the caller.
    """
    integration = await queries.get_integration(tx.session, integration_id, by, lock=True)
    if "service_id" in changes:
        await queries.get_service(tx.session, changes["service_id"], by, lock=True)
    change_row(integration, changes, tx.now)
    await tx.flush()
    return integration


async def rotate_key(
    tx: Tx, integration_id: UUID, keep_previous: timedelta, *, by: Principal
) -> tuple[Integration, str]:
    """Give the integration a new key, and return it; the present one is valid a while longer.

    At most two keys are valid: one that was still kept from an earlier rotation ends now.
    """
    token = tokens.make(KEY_PREFIX)
    return await adopt_key(tx, integration_id, token, keep_previous, by=by), token.text


async def adopt_key(
    tx: Tx, integration_id: UUID, token: Token, keep_previous: timedelta, *, by: Principal
) -> Integration:
    """Let the integration be known by a key that exists; see `rotate_key`.

    One that it has already stays as it is.
    """
    integration = await queries.get_integration(tx.session, integration_id, by, lock=True)
    if integration.key_digest == token.digest:
        return integration
    kept = {
        "previous_key_digest": integration.key_digest if keep_previous else None,
        "previous_key_expires_at": tx.now + keep_previous if keep_previous else None,
    }
    change_row(integration, {**kept, "key_digest": token.digest, "key_hint": token.hint}, tx.now)
    await tx.flush()
    return integration


async def delete_integration(tx: Tx, integration_id: UUID, *, by: Principal) -> None:
    """Delete an integration with its routing rules; a foreign key refuses it once it has alerts."""
    integration = await queries.get_integration(tx.session, integration_id, by, lock=True)
    await tx.session.delete(integration)
    await tx.flush()
