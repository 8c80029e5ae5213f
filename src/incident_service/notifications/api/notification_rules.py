"""HTTP: how a person wants to be told. The path is the user's, the rows are of here."""

from uuid import UUID

from fastapi import APIRouter

from incident_service.core.db import Tx
from incident_service.notifications import rules
from incident_service.notifications.schemas import NotificationRulesPut, NotificationRulesRead
from incident_service.teams import queries
from incident_service.teams.actions.users import lock_own_person
from incident_service.teams.auth import Manager, Principal, Reader
from incident_service.web.conditional import IfMatch, IfNoneMatch
from incident_service.web.request import InTx

router = APIRouter(prefix="/users/{user_id}/notification-rules", tags=["users"])


async def locked(tx: Tx, user_id: UUID, principal: Principal) -> NotificationRulesRead:
    """Lock the user, and show how they want to be told."""
    await lock_own_person(tx, user_id, principal)
    return await rules.load_rules(tx.session, user_id)


@router.get("")
async def get_notification_rules(
    tx: InTx, principal: Reader, user_id: UUID, known: IfNoneMatch
) -> NotificationRulesRead:
    """Show how a person wants to be told. Without rules: everywhere, at once."""
    await queries.get_user(tx.session, user_id)
    principal.require_colleague(await queries.find_person(tx.session, user_id))
    return known.show(await rules.load_rules(tx.session, user_id))


@router.put("")
async def replace_notification_rules(
    tx: InTx, principal: Manager, user_id: UUID, body: NotificationRulesPut, seen: IfMatch
) -> NotificationRulesRead:
    """Replace all rules and the quiet hours; what is on its way to the person follows them."""
    await seen.require(locked, tx, user_id, principal)
    await rules.replace_rules(tx, user_id, body, by=principal)
    return seen.show(await rules.load_rules(tx.session, user_id))
