"""Any rotation and any schedule, in zones whose clocks do everything that clocks do."""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from incident_service.schedules.oncall import Layer, Override, Roster
from incident_service.schedules.rotation import Rotation, ShiftUnit, Window

ZONES = [
    "UTC",
    "Europe/Berlin",
    "Europe/London",
    "Europe/Dublin",  # winter time is the daylight-saving one
    "America/New_York",
    "America/Los_Angeles",
    "America/St_Johns",  # changed at one minute past midnight
    "America/Havana",  # at midnight
    "America/Santiago",  # at midnight
    "America/Sao_Paulo",  # at midnight, until 2019
    "America/Asuncion",  # at midnight, until 2024
    "Africa/Cairo",  # at midnight, since 2023
    "Africa/Casablanca",  # goes back for Ramadan
    "Asia/Beirut",  # at midnight
    "Asia/Tehran",  # at midnight, until 2022
    "Asia/Kolkata",
    "Asia/Gaza",
    "Australia/Lord_Howe",  # by half an hour
    "Pacific/Apia",  # left out a whole day
    "Pacific/Chatham",
]
FROM, UNTIL = datetime(2011, 1, 1, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC)
PEOPLE = [UUID(int=number) for number in range(1, 6)]

zones = st.sampled_from(ZONES).map(ZoneInfo)
instants = st.integers(0, int((UNTIL - FROM).total_seconds())).map(
    lambda seconds: FROM + timedelta(seconds=seconds)
)
minutes = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 59]))
windows = st.builds(
    Window, st.frozensets(st.integers(0, 6), min_size=1), begins=minutes, ends=minutes
)
participants = st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=5, unique=True).map(tuple)


def rotations(**chosen: Any) -> st.SearchStrategy[Rotation]:
    parts: dict[str, Any] = {
        "zone": zones,
        "unit": st.sampled_from(ShiftUnit),
        "every": st.integers(1, 9),
        "handoff": minutes,
        "starts_at": instants,
        "participants": participants,
        "weekday": st.integers(0, 6),
        "first": st.integers(0, 9),
        "windows": st.lists(windows, max_size=2).map(tuple),
    }
    return st.builds(Rotation, **parts | chosen)


@st.composite
def rosters(draw: st.DrawFn, around: datetime) -> Roster:
    """A schedule with something going on in the weeks after an instant."""
    near = st.integers(-30 * 24, 60 * 24).map(lambda hours: around + timedelta(hours=hours))
    ends = st.none() | near
    layers = draw(st.lists(rotations(starts_at=near, ends_at=ends), max_size=3))
    edges = sorted(draw(st.lists(near, max_size=6, unique=True)))
    overrides = [
        Override(UUID(int=100 + number), draw(st.sampled_from(PEOPLE)), begins, end)
        for number, (begins, end) in enumerate(zip(edges[::2], edges[1::2], strict=False))
    ]
    return Roster(
        tuple(Layer(UUID(int=200 + number), layer) for number, layer in enumerate(layers)),
        tuple(overrides),
    )
