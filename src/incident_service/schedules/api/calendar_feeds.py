"""HTTP: calendars of who is on call, for programs that cannot send an API key."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from incident_service.schedules import actions, oncall, queries
from incident_service.schedules.api.schedules import locked
from incident_service.schedules.calendar import MEDIA_TYPE, feed_span, write_calendar
from incident_service.schedules.looking import without_haste
from incident_service.schedules.schemas import (
    CalendarFeed,
)
from incident_service.teams.auth import Manager
from incident_service.teams.repeatable import RepeatableRoute
from incident_service.web.conditional import IfMatch
from incident_service.web.request import BaseUrl, InTx

router = APIRouter(route_class=RepeatableRoute)


class CalendarResponse(Response):
    """An iCalendar file."""

    media_type = MEDIA_TYPE


@router.post("/schedules/{schedule_id}/calendar-feed", status_code=201)
async def open_calendar_feed(
    tx: InTx, principal: Manager, schedule_id: UUID, base_url: BaseUrl
) -> CalendarFeed:
    """Make the secret address of the schedule's calendar; the one before ceases to work."""
    token = await actions.open_feed(tx, schedule_id, by=principal)
    return CalendarFeed(url=f"{base_url}/v1/schedules/{schedule_id}.ics?key={token.text}")


@router.delete("/schedules/{schedule_id}/calendar-feed", status_code=204)
async def close_calendar_feed(
    tx: InTx, principal: Manager, schedule_id: UUID, seen: IfMatch
) -> None:
    """Take the secret address of the schedule's calendar back. `If-Match` is about the schedule."""
    await seen.require(locked, tx, schedule_id, principal)
    await actions.close_feed(tx, schedule_id, by=principal)


@router.get("/schedules/{schedule_id}.ics", response_class=CalendarResponse)
async def get_calendar_feed(
    tx: InTx, schedule_id: UUID, key: Annotated[str, Query(max_length=200)]
) -> Response:
    """Show who is on call as an iCalendar file: last month, and 180 days from now.

    The key is the one in the address that `open_calendar_feed` answers.
    """
    schedule = await queries.get_schedule_of_feed(tx.session, schedule_id, key)
    begins, ends = feed_span(tx.now)
    rosters = await queries.load_rosters(tx.session, [schedule], begins)
    roster = rosters[schedule.id]
    shifts = oncall.shifts(roster, begins, without_haste(roster, begins, ends))
    names = await queries.load_names(tx.session, {shift.user_id for shift in shifts})
    content = write_calendar(schedule.id, schedule.name, shifts, names, tx.now)
    return CalendarResponse(content)
