"""The chaos run's own decisions: which fault comes when, and to which one lateness belongs."""

from collections import Counter
from datetime import timedelta

from benchmarks.chaos.checks import worst_lateness
from benchmarks.chaos.plan import Kind, places_of, plan
from tests.fakes import NOON


def test_a_seed_is_one_plan():
    assert plan(7, 600, 5) == plan(7, 600, 5)
    assert plan(7, 600, 5) != plan(8, 600, 5)


def test_every_kind_of_fault_comes_as_often_as_the_others():
    times = Counter(fault.kind for fault in plan(7, 600, 5))

    assert set(times) == set(Kind)
    assert max(times.values()) - min(times.values()) <= 1


def test_faults_come_in_time_and_where_they_can_happen():
    faults = plan(7, 600, 5)

    assert len(faults) >= 100
    assert all(0 < fault.at_s < 600 for fault in faults)
    assert all(fault.place in places_of(fault.kind) for fault in faults)


def test_lateness_belongs_to_the_fault_before_it():
    cut_at, killed_at = NOON, NOON + timedelta(seconds=10)
    happened = [(cut_at, Kind.POSTGRES_CUT), (killed_at, Kind.WORKER_KILLED)]
    lateness = [
        (NOON - timedelta(seconds=1), 0.1),
        (NOON + timedelta(seconds=1), 0.5),
        (NOON + timedelta(seconds=9), 2.0),
        (NOON + timedelta(seconds=11), 1.0),
    ]

    worst = worst_lateness(lateness, happened)

    assert worst == {None: 0.1, Kind.POSTGRES_CUT: 2.0, Kind.WORKER_KILLED: 1.0}
