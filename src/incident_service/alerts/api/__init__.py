"""HTTP: the addresses that senders post to, and the alerts that came in."""

from fastapi import APIRouter

from incident_service.alerts.api import episodes, webhooks

router = APIRouter()
for resource in (webhooks, episodes):
    router.include_router(resource.router)

CONFLICTS: dict[str, str] = {}
