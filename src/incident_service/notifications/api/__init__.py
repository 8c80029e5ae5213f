"""HTTP: who was told about an incident, and how people want to be told."""

from fastapi import APIRouter

from incident_service.notifications.api import (
    contact_methods,
    notification_rules,
    notifications,
    provider_reports,
)

router = APIRouter()
for resource in (notifications, notification_rules, contact_methods, provider_reports):
    router.include_router(resource.router)

CONFLICTS: dict[str, str] = {}
