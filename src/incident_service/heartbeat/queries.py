"""Reads of how the service stands: what is open, what is late."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from incident_service.catalog.priority import Priority
from incident_service.escalation.queries import oldest_overdue
from incident_service.incidents.lifecycle import Status
from incident_service.incidents.queries import count_active
from incident_service.notifications.queries import oldest_unsent


@dataclass(frozen=True, slots=True)
class Lateness:
    """How long the longest overdue timer and page are overdue; zero when none is."""

    timer: timedelta
    page: timedelta


@dataclass(frozen=True, slots=True)
class Standing:
    """What an operator wants to see of the rows."""

    active: Mapping[tuple[Status, Priority], int]
    lateness: Lateness


async def load_standing(session: AsyncSession, now: datetime) -> Standing:
    """Read all of it."""
    return Standing(await count_active(session), await load_lateness(session, now))


async def load_lateness(session: AsyncSession, now: datetime) -> Lateness:
    """Look for what is due and not done."""
    timer_due_at = await oldest_overdue(session, now)
    page_due_at = await oldest_unsent(session, now)
    return Lateness(now - (timer_due_at or now), now - (page_due_at or now))
