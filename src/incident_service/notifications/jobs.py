"""Handlers of the queue's jobs."""

from uuid import UUID

from incident_service.notifications.delivery import Courier


async def deliver(courier: Courier, contact_method_id: str) -> None:
    """Handle `jobs.DELIVER`."""
    await courier.begin(UUID(contact_method_id))
