"""Every table in one metadata, for Alembic and the tests."""

from incident_service.alerts.models import Alert
from incident_service.catalog.models import Integration, RoutingRule, Service
from incident_service.core.audit import AuditEntry
from incident_service.core.db import Base
from incident_service.escalation.models import EscalationJob
from incident_service.heartbeat.models import Canary
from incident_service.incidents.models import Incident, IncidentEvent
from incident_service.maintenance.models import MaintenanceWindow
from incident_service.notifications.models import Notification, Page, PageAttempt
from incident_service.policies.models import EscalationLevel, EscalationPolicy
from incident_service.schedules.models import (
    Schedule,
    ScheduleLayer,
    ScheduleOverride,
    ScheduleParticipant,
)
from incident_service.subscriptions.models import WebhookDelivery, WebhookSubscription
from incident_service.teams.models import ApiKey, ContactMethod, Team, TeamMembership, User
from incident_service.web.idempotency.models import IdempotencyKey

metadata = Base.metadata

__all__ = [
    "Alert",
    "ApiKey",
    "AuditEntry",
    "Canary",
    "ContactMethod",
    "EscalationJob",
    "EscalationLevel",
    "EscalationPolicy",
    "IdempotencyKey",
    "Incident",
    "IncidentEvent",
    "Integration",
    "MaintenanceWindow",
    "Notification",
    "Page",
    "PageAttempt",
    "RoutingRule",
    "Schedule",
    "ScheduleLayer",
    "ScheduleOverride",
    "ScheduleParticipant",
    "Service",
    "Team",
    "TeamMembership",
    "User",
    "WebhookDelivery",
    "WebhookSubscription",
    "metadata",
]
