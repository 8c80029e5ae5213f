"""HTTP: services, integrations, and the rules that route alerts."""

from fastapi import APIRouter

from incident_service.catalog.api import integrations, routing_rules, services

router = APIRouter()
for resource in (services, integrations, routing_rules):
    router.include_router(resource.router)

CONFLICTS: dict[str, str] = {
    "uq_services_name": "The team has another service of this name.",
    "uq_services_external_id": "Another service has this external_id; it stays with its team.",
    "uq_integrations_key_digest": "Another integration has this key.",
    "uq_integrations_previous_key_digest": "Another integration had this key before.",
    "uq_integrations_name": "The service has another integration of this name.",
    "fk_integrations_service_id": "Integrations still send to this service; delete them first.",
    "fk_routing_rules_service_id": "Routing rules still send to this service; delete them first.",
    "fk_incidents_service_id": "The service has incidents, which are kept.",
    "fk_alerts_service_id": "The service has alerts, which are kept.",
    "fk_alerts_integration_id": "Alerts came through this integration and are kept; "
    "disable it instead.",
}
