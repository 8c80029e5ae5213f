"""What the API takes and shows of schedules."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, time
from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)

from incident_service.schedules.oncall import Shift
from incident_service.schedules.rotation import ShiftUnit
from incident_service.web.fields import Instant, Name, Patch, Prose, Request, Response, Whole
from incident_service.web.resources import Resource


class Weekday(StrEnum):
    """A day of the week."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


WEEKDAYS = tuple(Weekday)


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("must be a time zone of the IANA database, such as Europe/Berlin")
    return name


def _on_the_wall(shown: time) -> time:
    if shown.tzinfo is not None or shown.second or shown.microsecond:
        raise ValueError("must be hours and minutes of the schedule's time zone, such as 09:00")
    return shown


TimeZone = Annotated[str, AfterValidator(_known_zone), Field(examples=["Europe/Berlin"])]
TimeOfDay = Annotated[
    time,
    AfterValidator(_on_the_wall),
    PlainSerializer(lambda shown: shown.strftime("%H:%M"), return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^([01]\d|2[0-3]):[0-5]\d$"}),
    Field(examples=["09:00"]),
]


class Restriction(Request):
    """A time of the week; when a layer has any, it works in these only."""

    weekdays: list[Weekday] = Field(min_length=1, max_length=7, description="On which it begins.")
    from_time: TimeOfDay
    to_time: TimeOfDay = Field(description="On the next day, unless later than `from_time`.")


class LayerShape(Request):
    """When the shifts of a layer begin and end."""

    name: Name
    unit: ShiftUnit = ShiftUnit.WEEK
    every: Whole = Field(1, ge=1, le=366, description="A shift lasts so many units.")
    handoff_time: TimeOfDay = Field(
        time(9),
        description="When shifts begin, on the clock of the schedule's time zone.",
        json_schema_extra={"default": "09:00"},
    )
    handoff_weekday: Weekday | None = Field(None, description="For weeks; left out: Monday.")
    starts_at: Instant | None = Field(
        None, description="The first participant has the shift of this instant; left out: now."
    )
    ends_at: Instant | None = None
    restrictions: list[Restriction] = Field(
        default_factory=list,
        max_length=20,
        description="A shift that lies wholly outside consumes no turn.",
    )

    @model_validator(mode="after")
    def _weekday_goes_with_weeks(self) -> Self:
        if self.unit is ShiftUnit.WEEK:
            self.handoff_weekday = self.handoff_weekday or Weekday.MONDAY
        elif self.handoff_weekday is not None:
            raise ValueError("handoff_weekday is for shifts that are counted in weeks")
        return self


class LayerWrite(LayerShape):
    """Participants who take turns."""

    id: UUID | None = Field(
        None, description="Of the layer that this changes: whoever is on call there stays so."
    )
    participants: list[UUID] = Field(
        min_length=1, max_length=50, description="Users, each once, in the order of their turns."
    )


Layers = Annotated[
    list[LayerWrite], Field(max_length=20, description="A later one covers those before it.")
]


class ScheduleCreate(Request):
    """A new schedule."""

    team_id: UUID
    name: Name
    description: Prose = ""
    time_zone: TimeZone
    layers: Layers = Field(default_factory=list)


class ScheduleUpdate(Patch):
    """Changes of a schedule; `layers` are replaced as a whole, those with an `id` changed."""

    name: Name | None = None
    description: Prose | None = None
    time_zone: TimeZone | None = None
    layers: Layers | None = None


class SchedulePreview(Request):
    """A schedule that is not saved, and the time to look at."""

    schedule_id: UUID | None = Field(
        None,
        description="The schedule that these layers would change: its turns go on, as they will "
        "when it is saved, and its overrides are shown.",
    )
    time_zone: TimeZone
    layers: Layers
    from_: Instant | None = Field(None, alias="from", description="Left out: now.")
    to: Instant | None = Field(None, description="Left out: 14 days later.")


class RestrictionRead(Response):
    """A time of the week in which a layer works."""

    weekdays: list[Weekday]
    from_time: TimeOfDay
    to_time: TimeOfDay


class LayerRead(Response):
    """A layer, as it is."""

    id: UUID
    name: str
    unit: ShiftUnit
    every: int
    handoff_time: TimeOfDay
    handoff_weekday: Weekday | None
    starts_at: datetime
    ends_at: datetime | None
    participants: list[UUID]
    restrictions: list[RestrictionRead]


class ScheduleColumns(Resource):
    """What the schedule's own row says."""

    id: UUID
    team_id: UUID
    name: str
    description: str
    time_zone: str
    created_at: datetime
    updated_at: datetime


class ScheduleRead(ScheduleColumns):
    """A schedule with its layers; a later one covers those before it."""

    layers: list[LayerRead]
    has_calendar_feed: bool


class CalendarFeed(Response):
    """The address of a schedule's calendar. It is shown once; whoever has it can read."""

    url: str


class SchedulePage(Response):
    """A page of schedules, oldest first."""

    items: list[ScheduleRead]
    next_cursor: str | None


class OverrideCreate(Request):
    """Somebody who stands in. An override that begins in the past takes effect now."""

    user_id: UUID
    starts_at: Instant
    ends_at: Instant


class OverrideRead(Resource):
    """Somebody who stands in."""

    id: UUID
    schedule_id: UUID
    user_id: UUID
    starts_at: datetime
    ends_at: datetime
    created_at: datetime


class OverridePage(Response):
    """A page of overrides, oldest first."""

    items: list[OverrideRead]
    next_cursor: str | None


class ShiftRead(Response):
    """Who is on call from one instant to another, the end left out, and because of what."""

    user_id: UUID
    user_name: str
    starts_at: datetime
    ends_at: datetime
    source_id: UUID = Field(description="The layer or the override that says so.")

    @classmethod
    def of(cls, shift: Shift, names: Mapping[UUID, str]) -> Self:
        """Show a shift; `names` are those of users."""
        return cls(**asdict(shift), user_name=names[shift.user_id])


class GapRead(Response):
    """A time in which nobody is on call."""

    starts_at: datetime
    ends_at: datetime


class ShiftsRead(Response):
    """Who is on call, and when nobody is."""

    shifts: list[ShiftRead]
    gaps: list[GapRead]


class OnCallRead(Response):
    """Who is on call at an instant, until when, and who is next; null: nobody."""

    schedule_id: UUID
    schedule_name: str
    at: datetime
    now: ShiftRead | None
    next: ShiftRead | None


class OnCallPage(Response):
    """Who is on call, for a page of schedules."""

    items: list[OnCallRead]
    next_cursor: str | None


def weekday_of(number: int | None) -> Weekday | None:
    """Return the day of a number, 0 for Monday."""
    return None if number is None else WEEKDAYS[number]


def number_of(weekday: Weekday | None) -> int | None:
    """Return the number of a day, 0 for Monday."""
    return None if weekday is None else WEEKDAYS.index(weekday)
