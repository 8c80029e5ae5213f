"""Decide which alerts are the same, and which share an incident. Pure.

The hash is Alertmanager's own, so a fingerprint computed here equals the one that it sends.

Source: https://pkg.go.dev/github.com/prometheus/common/model#LabelSet.Fingerprint
"""

from collections.abc import Iterable, Mapping
from uuid import UUID

from incident_service.alerts.incoming import IncomingAlert
from incident_service.catalog.models import Grouping

FNV_OFFSET = 14695981039346656037
FNV_PRIME = 1099511628211
SEPARATOR = b"\xff"  # never a byte of UTF-8, so names and values cannot run into each other


def of_labels(labels: Mapping[str, str]) -> str:
    """Hash labels, whatever their order, to 16 hexadecimal digits: FNV-1a with 64 bits."""
    parts = (text for name in sorted(labels) for text in (name, labels[name]))
    # Unpaired surrogates have no UTF-8; any bytes do, as long as they are always the same.
    data = b"".join(text.encode("utf-8", "surrogatepass") + SEPARATOR for text in parts)
    return f"{fnv1a(data):016x}"


def fnv1a(data: bytes) -> int:
    """Hash bytes with FNV-1a, 64 bits."""
    value = FNV_OFFSET
    for byte in data:
        value = (value ^ byte) * FNV_PRIME & 0xFFFF_FFFF_FFFF_FFFF
    return value


def key_for(
    grouping: Grouping,
    grouping_labels: Iterable[str],
    *,
    integration_id: UUID,
    alert: IncomingAlert,
) -> str:
    """Return the key under which an alert folds into an incident of its service."""
    match grouping:
        case Grouping.LABELS:
            return labels_key(grouping_labels, alert.labels)
        case Grouping.GROUP if alert.group_labels:
            return group_key(alert.group_labels, alert.labels.get("alertname"))
        case Grouping.GROUP | Grouping.ALERT:
            return alert_key(integration_id, alert.fingerprint)


def alert_key(integration_id: UUID, fingerprint: str) -> str:
    """Name an incident of one alert: the same fingerprint from two senders is two alerts."""
    return f"{integration_id}/{fingerprint}"


def group_key(group_labels: Mapping[str, str], alertname: str | None) -> str:
    """Name the incident of a sender's group, for each alert name.

    Never Alertmanager's own `groupKey`: that holds the route, and changes when routes do.
    """
    named = {} if alertname is None else {"alertname": alertname}
    return "group/" + of_labels({**group_labels, **named})


def labels_key(names: Iterable[str], labels: Mapping[str, str]) -> str:
    """Name the incident of all alerts that agree in these labels; a missing one counts as empty."""
    return "labels/" + of_labels({name: labels.get(name, "") for name in names})
