"""Write shifts as an iCalendar feed (RFC 5545), for people's own calendars. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from icalendar import Calendar, Event, vDuration

from incident_service.schedules.oncall import Shift

MEDIA_TYPE = "text/calendar; charset=utf-8"
AHEAD = timedelta(days=180)
REFRESH = timedelta(hours=1)


def feed_span(now: datetime) -> tuple[datetime, datetime]:
    """Return what a feed covers: from the first of the month before, for 180 days from now.

    It begins at the same instant for a whole month, so that the event it cuts keeps its name.
    """
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first - timedelta(days=1)).replace(day=1), now + AHEAD


def write_calendar(
    schedule_id: UUID,
    schedule_name: str,
    shifts: Sequence[Shift],
    names: Mapping[UUID, str],
    written_at: datetime,
) -> bytes:
    """Return the feed; a shift has the same UID in each, so that calendars move it."""
    calendar = Calendar()
    calendar.add("prodid", "-//incident-service//on call//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("name", schedule_name)
    calendar.add("x-wr-calname", schedule_name)
    calendar.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", vDuration(REFRESH))
    for shift in shifts:
        calendar.add_component(write_event(schedule_id, schedule_name, shift, names, written_at))
    written: bytes = calendar.to_ical()
    return written


def write_event(
    schedule_id: UUID,
    schedule_name: str,
    shift: Shift,
    names: Mapping[UUID, str],
    written_at: datetime,
) -> Event:
    """Return one shift as an event that keeps nobody's calendar busy."""
    event = Event()
    begins = shift.starts_at.strftime("%Y%m%dT%H%M%SZ")
    event.add("uid", f"{schedule_id}-{begins}@incident-service")
    event.add("dtstamp", written_at)
    event.add("dtstart", shift.starts_at)
    event.add("dtend", shift.ends_at)
    event.add("summary", f"{names.get(shift.user_id, 'Somebody')} on call: {schedule_name}")
    event.add("transp", "TRANSPARENT")
    return event
