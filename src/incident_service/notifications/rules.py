"""Say how a person wants to be told, and let what is on its way follow."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from incident_service.core.db import Tx
from incident_service.core.errors import Invalid
from incident_service.notifications.models import NotificationRule, QuietHours
from incident_service.notifications.replanning import replan
from incident_service.notifications.schemas import (
    NotificationRule as RuleWrite,
)
from incident_service.notifications.schemas import (
    NotificationRuleRead,
    NotificationRulesPut,
    NotificationRulesRead,
    QuietTimeRead,
)
from incident_service.teams.actions.users import lock_own_person
from incident_service.teams.auth import Principal
from incident_service.teams.models import ContactMethod


class RuleNotUsable(Invalid):
    """The rule cannot be used."""


async def load_rules(session: AsyncSession, user_id: UUID) -> NotificationRulesRead:
    """Return how the person wants to be told: by priority, the first address first."""
    rows = await session.scalars(
        select(NotificationRule)
        .join(ContactMethod, ContactMethod.id == NotificationRule.contact_method_id)
        .where(NotificationRule.user_id == user_id, ContactMethod.retired_at.is_(None))
    )
    quiet = await session.get(QuietHours, user_id, populate_existing=True)
    rules = sorted(rows, key=lambda row: (row.priority.rank, row.delay_minutes))
    return NotificationRulesRead(
        rules=[NotificationRuleRead.model_validate(row) for row in rules],
        quiet_hours=QuietTimeRead.model_validate(quiet) if quiet else None,
    )


async def replace_rules(
    tx: Tx, user_id: UUID, wanted: NotificationRulesPut, *, by: Principal
) -> None:
    """Replace all rules and the quiet hours.

    Raises:
        KeyLimited, RoleTooLow: see `Principal.require_own_person`.
        RuleNotUsable: an address is not the person's, or is named twice for a priority.
    """
    await lock_own_person(tx, user_id, by)
    await require_usable(tx, user_id, wanted.rules)
    for table in (NotificationRule, QuietHours):
        await tx.session.execute(delete(table).where(table.user_id == user_id))
    if wanted.rules:
        rows = [{"user_id": user_id, **rule.model_dump()} for rule in wanted.rules]
        await tx.session.execute(insert(NotificationRule), rows)
    if wanted.quiet_hours:
        quiet = wanted.quiet_hours
        tx.session.add(
            QuietHours(user_id=user_id, from_time=quiet.from_time, to_time=quiet.to_time)
        )
    await tx.flush()
    await replan(tx, user_id)


async def require_usable(tx: Tx, user_id: UUID, rules: Sequence[RuleWrite]) -> None:
    """Refuse rules that nobody could follow; see `replace_rules`."""
    own = set(
        await tx.session.scalars(
            select(ContactMethod.id).where(
                ContactMethod.user_id == user_id, ContactMethod.retired_at.is_(None)
            )
        )
    )
    seen = set()
    for index, rule in enumerate(rules):
        pointer = f"/rules/{index}/contact_method_id"
        if rule.contact_method_id not in own:
            raise RuleNotUsable("The person has no such contact method.", pointer)
        if (rule.priority, rule.contact_method_id) in seen:
            raise RuleNotUsable("Each address is named once for a priority.", pointer)
        seen.add((rule.priority, rule.contact_method_id))
