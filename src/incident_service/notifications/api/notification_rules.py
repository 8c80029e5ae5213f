"""HTTP: how a person wants to be told. The path is the user's, the rows are of here."""

from uuid import UUID

from fastapi import APIRouter

from incident_service.core.http import InTx
from incident_service.notifications import rules
from incident_service.notifications.schemas import NotificationRulesPut, NotificationRulesRead
from incident_service.teams import queries
from incident_service.teams.auth import Manager, Reader

router = APIRouter(prefix="/users/{user_id}/notification-rules", tags=["users"])


@router.get("")
async def get_notification_rules(
    tx: InTx, principal: Reader, user_id: UUID
) -> NotificationRulesRead:
    """Show how a person wants to be told. Without rules: everywhere, at once."""
    await queries.get_user(tx.session, user_id)
    principal.require_colleague(await queries.find_person(tx.session, user_id))
    return await rules.load_rules(tx.session, user_id)


@router.put("")
async def replace_notification_rules(
    tx: InTx, principal: Manager, user_id: UUID, body: NotificationRulesPut
) -> NotificationRulesRead:
    """Replace all rules and the quiet hours; what is on its way to the person follows them."""
    await rules.replace_rules(tx, user_id, body, by=principal)
    return await rules.load_rules(tx.session, user_id)
