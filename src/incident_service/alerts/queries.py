"""Reads of alerts."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from incident_service.alerts.models import Alert
from incident_service.core.pagination import PageQuery, fetch_page


async def list_alerts(
    session: AsyncSession, incident_id: UUID, page: PageQuery
) -> tuple[Sequence[Alert], str | None]:
    """Return a page of an incident's alerts, in the order they were first received."""
    statement = select(Alert).where(Alert.incident_id == incident_id)
    return await fetch_page(session, statement, Alert.id, page)
