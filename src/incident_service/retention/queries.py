"""What is old enough to go, and is needed by nobody."""

from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select, tuple_

from incident_service.alerts.models import Alert, AlertStatus
from incident_service.core.audit import AuditEntry
from incident_service.incidents.lifecycle import Status
from incident_service.incidents.models import Incident, IncidentEvent
from incident_service.notifications.models import (
    Notification,
    NotificationStatus,
    Page,
    PageStatus,
)
from incident_service.subscriptions.models import WebhookSubscription
from incident_service.web.idempotency.models import IdempotencyKey

UNSENT = (NotificationStatus.PENDING, NotificationStatus.SENDING)
ON_THE_WAY = (PageStatus.WAITING, PageStatus.SENDING)
IS_OVER = and_(Alert.status == AlertStatus.RESOLVED, Alert.refire_at.is_(None))
"""An alert neither fires nor is about to."""


def is_old(before: datetime) -> ColumnElement[bool]:
    """Say of an incident that it was closed before an instant; nothing leads out of CLOSED."""
    return and_(
        Incident.status == Status.CLOSED,
        Incident.created_at < before,  # it is what the index orders by
        Incident.closed_at < before,
    )


def is_needed() -> ColumnElement[bool]:
    """Say of an incident that an alert, a person or a subscriber still needs it."""
    fires = exists().where(Alert.incident_id == Incident.id, ~IS_OVER)
    is_told = exists().where(
        Notification.incident_id == Incident.id, Notification.status.in_(UNSENT)
    )
    unread = exists().where(
        IncidentEvent.incident_id == Incident.id,
        WebhookSubscription.is_enabled,
        or_(WebhookSubscription.team_id.is_(None), WebhookSubscription.team_id == Incident.team_id),
        tuple_(IncidentEvent.xact, IncidentEvent.position)
        > tuple_(WebhookSubscription.read_xact, WebhookSubscription.read_position),
    )
    return or_(fires, is_told, unread)


def old_incidents(before: datetime) -> Select[Incident]:
    """Select closed incidents that nobody needs."""
    return select(Incident).where(is_old(before), ~is_needed())


def old_alerts(before: datetime) -> Select[Alert]:
    """Select alerts that never belonged to an incident, and are over."""
    return select(Alert).where(
        Alert.incident_id.is_(None), IS_OVER, Alert.last_received_at < before
    )


def old_notes(before: datetime) -> Select[Page]:
    """Select messages about no incident, such as tests and codes."""
    return select(Page).where(
        Page.note.is_not(None), Page.created_at < before, Page.status.not_in(ON_THE_WAY)
    )


def old_entries(before: datetime) -> Select[AuditEntry]:
    """Select entries of the audit log."""
    return select(AuditEntry).where(AuditEntry.at < before)


def old_keys(before: datetime) -> Select[IdempotencyKey]:
    """Select the answers to requests that may not be repeated any more."""
    return select(IdempotencyKey).where(IdempotencyKey.created_at <= before)
