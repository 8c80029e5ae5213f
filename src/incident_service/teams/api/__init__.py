"""HTTP: teams, their members and channels, users, how to reach them, API keys."""

from fastapi import APIRouter

from incident_service.teams.api import (
    api_keys,
    audit_log,
    contact_methods,
    team_channels,
    teams,
    users,
)

router = APIRouter()
for resource in (teams, team_channels, users, contact_methods, api_keys, audit_log):
    router.include_router(resource.router)

CONFLICTS: dict[str, str] = {
    "uq_teams_name": "Another team has this name.",
    "uq_teams_external_id": "Another team has this external_id.",
    "uq_users_email": "Another user has this mail address.",
    "uq_users_external_id": "Another user has this external_id.",
    "uq_contact_methods_user_address": "The user has a contact method with this address already.",
    "uq_contact_methods_team_name": "The team has another channel of this name.",
    "fk_contact_methods_team_id": "The team still owns channels, or the record of deleted ones.",
    "fk_services_team_id": "The team still owns services; delete them first.",
    "fk_escalation_policies_team_id": "The team still owns escalation policies; delete them first.",
    "fk_incidents_team_id": "The team still owns incidents.",
}
