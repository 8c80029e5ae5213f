"""HTTP: schedules, overrides, who is on call, and calendars of it."""

from fastapi import APIRouter

from incident_service.schedules.api import calendar_feeds, on_call, overrides, schedules

router = APIRouter(tags=["schedules"])
# The feed's address, `{id}.ics`, is looked at before the schedule's own.
for resource in (calendar_feeds, schedules, on_call, overrides):
    router.include_router(resource.router)

CONFLICTS: dict[str, str] = {
    "uq_schedules_name": "The team has another schedule of this name.",
    "fk_schedules_team_id": "Schedules still belong to this team; delete them first.",
    "fk_schedule_participants_user_id": "The user still takes turns in a schedule.",
    "fk_schedule_overrides_user_id": "The user stands in, or stood in, for somebody in a schedule.",
}
