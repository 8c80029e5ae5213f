"""Turns: on the wall's clock, through every change of the clocks."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.schedules.strategies import PEOPLE, ZONES, instants, participants, rotations

from incident_service.schedules.rotation import Rotation, ShiftUnit, Window, keep_turn
from incident_service.schedules.wall_clock import instant_of, wall_time

ANA, BEN, CLEO = PEOPLE[:3]
NEW_YORK = ZoneInfo("America/New_York")
BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> datetime:
    """An instant, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def daily(**chosen: Any) -> Rotation:
    parts: dict[str, Any] = {
        "zone": BERLIN,
        "unit": ShiftUnit.DAY,
        "every": 1,
        "handoff": time(9),
        "starts_at": at("2026-11-02T08:00"),  # Monday, 9 o'clock in Berlin
        "participants": (ANA, BEN, CLEO),
    }
    return Rotation(**parts | chosen)


@given(rotations(), instants)
def test_every_instant_lies_in_its_shift(rotation, instant):
    turn = rotation.turn_at(instant)

    assert turn.starts_at <= instant < turn.ends_at


@given(rotations(), instants)
def test_shifts_meet_and_never_overlap(rotation, instant):
    turn = rotation.turn_at(instant)

    next_turn = rotation.turn_at(turn.ends_at)

    assert next_turn.starts_at == turn.ends_at
    assert next_turn.number > turn.number


@given(rotations(), instants, st.integers(0, 4 * 3600))
def test_the_shift_number_never_goes_backwards(rotation, instant, seconds):
    later = instant + timedelta(seconds=seconds)

    assert rotation.number_at(instant) <= rotation.number_at(later)


@pytest.mark.parametrize("name", ZONES)
def test_51_52_53_for_ten_years_a_day_begins_at_its_hour_without_gap_or_overlap(name):
    zone = ZoneInfo(name)
    for handoff in (time(0), time(2, 30)):
        rotation = daily(zone=zone, handoff=handoff, starts_at=at("2019-01-01T00:00"))
        last = rotation.turn_at(rotation.starts_at)
        while last.ends_at < at("2029-01-01T00:00"):
            turn = rotation.turn_at(last.ends_at)
            shown = wall_time(turn.starts_at, zone)
            is_left_out = instant_of(datetime.combine(shown.date(), handoff), zone)
            assert turn.starts_at == last.ends_at
            assert shown.time() == handoff or is_left_out == turn.starts_at
            last = turn


def test_50_a_hand_off_that_spring_leaves_out_happens_at_the_jump():
    assert instant_of(datetime.fromisoformat("2026-03-08T02:30"), NEW_YORK) == at(
        "2026-03-08T07:00"
    )


def test_51_of_an_hour_that_comes_twice_the_first_is_meant():
    assert instant_of(datetime.fromisoformat("2025-11-02T01:30"), NEW_YORK) == at(
        "2025-11-02T05:30"
    )


def test_49_a_shift_begins_with_its_first_instant_and_ends_before_its_last():
    rotation = daily()
    handoff = at("2026-11-03T08:00")
    second = timedelta(seconds=1)

    around = [
        rotation.user_at(instant) for instant in (handoff - second, handoff, handoff + second)
    ]

    assert around == [ANA, BEN, BEN]


def test_when_the_clock_goes_back_over_a_hand_off_nobody_gets_the_turn_back():
    rotation = daily(zone=NEW_YORK, handoff=time(1, 30), starts_at=at("2025-11-01T05:30"))

    night = ["2025-11-02T05:15", "2025-11-02T05:45", "2025-11-02T06:15", "2025-11-02T06:45"]

    assert [rotation.user_at(at(text)) for text in night] == [ANA, BEN, BEN, BEN]


def test_weeks_change_on_their_weekday():
    rotation = daily(unit=ShiftUnit.WEEK, weekday=4, starts_at=at("2026-11-04T12:00"))

    turn = rotation.turn_at(at("2026-11-04T12:00"))

    assert (turn.starts_at, turn.ends_at) == (at("2026-10-30T08:00"), at("2026-11-06T08:00"))
    assert (turn.number, turn.user_id) == (0, ANA)


def test_twelve_hours_from_eight_are_day_and_night_in_summer_and_winter():
    rotation = daily(unit=ShiftUnit.HOUR, every=12, handoff=time(8))

    for day in ("2026-07-01", "2026-12-01"):
        turn = rotation.turn_at(at(f"{day}T12:00"))
        assert wall_time(turn.starts_at, BERLIN).hour == 8
        assert wall_time(turn.ends_at, BERLIN).hour == 20


def test_56_a_shift_outside_the_windows_consumes_no_turn():
    office = Window(frozenset(range(5)), time(9), time(17))
    rotation = daily(handoff=time(0), windows=(office,), starts_at=at("2026-11-01T23:00"))

    days = [at(f"2026-11-{day:02}T10:00") for day in range(2, 11)]

    week = [ANA, BEN, CLEO, ANA, BEN, None, None, CLEO, ANA]
    assert [rotation.user_at(day) for day in days] == week


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_begins():
    friday_night = Window(frozenset({4}), time(22), time(6))
    rotation = daily(windows=(friday_night,))

    open_at = {
        text: rotation.is_at_work(at(text))
        for text in ("2026-11-06T20:59", "2026-11-06T21:00", "2026-11-07T04:59", "2026-11-07T05:00")
    }

    assert list(open_at.values()) == [False, True, True, False]


@given(rotations(), participants, instants)
def test_55_whoever_is_on_call_stays_so_when_participants_change(rotation, others, now):
    present = rotation.turn_at(now).user_id
    assume(present in others)

    changed = replace(rotation, participants=others)
    changed = replace(changed, first=keep_turn(rotation, changed, now))

    assert changed.turn_at(now).user_id == present


@given(rotations(), participants, instants)
def test_55_the_next_one_takes_over_from_whoever_is_removed(rotation, others, now):
    present = rotation.turn_at(now).user_id
    assume(present not in others)
    place = rotation.participants.index(present)
    order = rotation.participants[place:] + rotation.participants[:place]
    heirs = [user for user in order if user in others]

    changed = replace(rotation, participants=others)
    changed = replace(changed, first=keep_turn(rotation, changed, now))

    assert changed.turn_at(now).user_id == (heirs or others)[0]
