"""Alerts to try the service with, as Alertmanager sends them. Pure."""

from collections.abc import Iterable
from typing import Any

Webhook = dict[str, Any]
NO_END = "0001-01-01T00:00:00Z"


def disk_alert(instance: str, **more_labels: str) -> Webhook:
    """Return a firing alert about a disk that runs full.

    It has neither fingerprint nor start: both are then made where it arrives, so the same text
    fires anew after it was resolved.
    """
    return {
        "status": "firing",
        "labels": {
            "alertname": "DiskAlmostFull",
            "severity": "critical",
            "instance": instance,
            **more_labels,
        },
        "annotations": {"summary": f"The disk of {instance} is 97 % full"},
        "endsAt": NO_END,
    }


def webhook(alerts: Iterable[Webhook]) -> Webhook:
    """Return the webhook that carries the alerts."""
    listed = list(alerts)
    firing = any(alert["status"] == "firing" for alert in listed)
    return {
        "version": "4",
        "status": "firing" if firing else "resolved",
        "receiver": "incident-service",
        "groupLabels": {"alertname": "DiskAlmostFull"},
        "alerts": listed,
    }


def resolved(alert: Webhook, ended_at: str) -> Webhook:
    """Return the same alert, over since `ended_at` (RFC 3339)."""
    return {**alert, "status": "resolved", "endsAt": ended_at}
