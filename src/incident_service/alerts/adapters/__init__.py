"""Adapters: one protocol each, from its JSON to incoming alerts. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from incident_service.alerts.adapters import alertmanager
from incident_service.alerts.incoming import Parsed
from incident_service.catalog.models import IntegrationKind

PARSERS: Mapping[IntegrationKind, Callable[[Any], Parsed]] = {
    IntegrationKind.ALERTMANAGER: alertmanager.parse,
}
