"""Read how people want to be told."""

from collections import defaultdict
from collections.abc import Collection
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from incident_service.catalog.priority import Priority
from incident_service.notifications import chain
from incident_service.notifications.chain import Habits
from incident_service.notifications.models import NotificationRule, QuietHours
from incident_service.teams.models import User


async def load_habits(session: AsyncSession, user_ids: Collection[UUID]) -> dict[UUID, Habits]:
    """Return the habits of those of the users who have any."""
    delays = await load_delays(session, user_ids)
    quiet = await load_quiet_hours(session, user_ids)
    return {
        user_id: Habits(delays.get(user_id, {}), quiet.get(user_id))
        for user_id in delays.keys() | quiet.keys()
    }


async def load_delays(
    session: AsyncSession, user_ids: Collection[UUID]
) -> dict[UUID, dict[Priority, dict[UUID, int]]]:
    """Return the rules of each user: priority → contact method id → minutes, in their order."""
    delays: dict[UUID, dict[Priority, dict[UUID, int]]] = defaultdict(lambda: defaultdict(dict))
    for rule in await session.scalars(
        select(NotificationRule)
        .where(NotificationRule.user_id.in_(user_ids))
        .order_by(NotificationRule.delay_minutes, NotificationRule.contact_method_id)
    ):
        delays[rule.user_id][rule.priority][rule.contact_method_id] = rule.delay_minutes
    return delays


async def load_quiet_hours(
    session: AsyncSession, user_ids: Collection[UUID]
) -> dict[UUID, chain.QuietHours]:
    """Return the quiet hours of those of the users who have any."""
    rows = await session.execute(
        select(QuietHours, User.time_zone)
        .join(User, User.id == QuietHours.user_id)
        .where(QuietHours.user_id.in_(user_ids))
    )
    return {
        quiet.user_id: chain.QuietHours(ZoneInfo(zone), quiet.from_time, quiet.to_time)
        for quiet, zone in rows
    }
