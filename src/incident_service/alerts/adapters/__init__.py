"""Adapters: one protocol each, from its bytes to incoming alerts. Pure."""

from collections.abc import Callable, Mapping

from incident_service.alerts.adapters import alertmanager
from incident_service.alerts.incoming import Parsed
from incident_service.alerts.limits import Limits
from incident_service.catalog.models import IntegrationKind

PARSERS: Mapping[IntegrationKind, Callable[[bytes, Limits], Parsed]] = {
    IntegrationKind.ALERTMANAGER: alertmanager.read,
}
