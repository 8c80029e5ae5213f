"""Who is on call: one answer, whoever asks, and for every instant."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from tests.fakes import NOON
from tests.schedules.strategies import rosters

from incident_service.schedules.oncall import Override, Shift, gaps, join, on_call, shifts

DAYS = 14
spans = st.lists(
    st.integers(0, DAYS * 24 * 60).map(lambda minutes: NOON + timedelta(minutes=minutes)),
    min_size=3,
    max_size=3,
    unique=True,
).map(sorted)


@given(rosters(NOON), spans)
def test_who_is_on_call_is_the_shift_that_holds_the_instant(roster, span):
    begins, instant, ends = span

    holding = [each for each in shifts(roster, begins, ends) if holds(each, instant)]

    found = on_call(roster, instant)
    assert [(each.user_id, each.source_id) for each in holding] == ([found] if found else [])


def holds(shift: Shift | Override, instant: datetime) -> bool:
    return shift.starts_at <= instant < shift.ends_at


@given(rosters(NOON), spans)
def test_two_spans_that_meet_are_one_span(roster, span):
    begins, middle, ends = span

    parts = [*shifts(roster, begins, middle), *shifts(roster, middle, ends)]

    assert shifts(roster, begins, ends) == join(parts)


@given(rosters(NOON), spans)
def test_shifts_and_gaps_fill_the_time_and_never_overlap(roster, span):
    begins, _, ends = span

    edges = sorted(
        [(each.starts_at, each.ends_at) for each in shifts(roster, begins, ends)]
        + [(each.starts_at, each.ends_at) for each in gaps(roster, begins, ends)]
    )

    assert edges[0][0] == begins
    assert edges[-1][1] == ends
    assert all(one[1] == other[0] for one, other in pairwise(edges))


@given(rosters(NOON), spans)
def test_an_override_covers_every_layer_while_it_lasts(roster, span):
    instant = span[1]

    covering = [each for each in roster.overrides if holds(each, instant)]

    if covering:
        assert on_call(roster, instant) == (covering[0].user_id, covering[0].id)


@given(rosters(NOON), spans)
def test_without_its_overrides_a_schedule_is_what_its_layers_say(roster, span):
    begins, _, ends = span
    bare = replace(roster, overrides=())

    before = shifts(bare, begins, ends)
    layers = {layer.id for layer in roster.layers}

    assert all(each.source_id in layers for each in before)
    for override in roster.overrides:
        outside = override.ends_at
        if not any(holds(each, outside) for each in roster.overrides):
            assert on_call(roster, outside) == on_call(bare, outside)


@given(rosters(NOON), spans)
def test_a_later_layer_covers_an_earlier_one(roster, span):
    instant = span[1]
    bare = replace(roster, overrides=())

    says = [layer.rotation.user_at(instant) for layer in roster.layers]

    said = [user for user in says if user is not None]
    found = on_call(bare, instant)
    assert (found and found[0]) == (said[-1] if said else None)
