"""HTTP: the addresses that senders post to, and the alerts that came in, stored or not."""

from fastapi import APIRouter

from incident_service.alerts.api import episodes, rejected, search, webhooks

router = APIRouter()
for resource in (webhooks, episodes, search, rejected):
    router.include_router(resource.router)

CONFLICTS: dict[str, str] = {}
