from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_service.core.errors import Invalid
from incident_service.policies.levels import (
    as_listed,
    merged,
    named,
    require_known,
    require_usable,
)
from incident_service.policies.models import TargetType
from incident_service.policies.plan import PlanLevel, Target

ANA_ID, BO_ID = UUID(int=1), UUID(int=2)
ANA, BO = Target(TargetType.USER, ANA_ID), Target(TargetType.USER, BO_ID)
TEAM = Target(TargetType.ENTIRE_TEAM)
ROTA_ID = UUID(int=3)
CHANNEL = Target(TargetType.TEAM_CHANNEL, UUID(int=4))
NO_CHANNEL = Target(TargetType.TEAM_CHANNEL)
ROTA, NO_ROTA = Target(TargetType.SCHEDULE, ROTA_ID), Target(TargetType.SCHEDULE)

some_targets = st.builds(
    Target, st.sampled_from(TargetType), st.none() | st.sampled_from([ANA_ID, BO_ID])
)
some_levels = st.builds(
    PlanLevel,
    st.lists(some_targets, min_size=1, max_size=4).map(tuple),
    st.integers(min_value=1, max_value=60),
)


@pytest.mark.parametrize(
    ("levels", "pointer"),
    [
        ([PlanLevel((NO_ROTA,), 5)], "/levels/0/target_id"),
        ([PlanLevel((ANA, NO_ROTA), 5)], "/levels/0/additional_targets/0/target_id"),
        ([PlanLevel((ANA,), 5), PlanLevel((ANA, BO, NO_ROTA), 5)],
         "/levels/1/additional_targets/1/target_id"),
        ([PlanLevel((Target(TargetType.USER),), 5)], "/levels/0/target_id"),
        ([PlanLevel((Target(TargetType.ENTIRE_TEAM, uuid4()),), 5)], "/levels/0/target_id"),
        ([PlanLevel((CHANNEL, ANA), 5)], "/levels/0/target_type"),
        ([PlanLevel((ANA, NO_CHANNEL), 5)], "/levels/0/additional_targets/0/target_id"),
        ([PlanLevel((TEAM,), 2)], "/levels/0/timeout_minutes"),
        ([PlanLevel((ANA, TEAM), 2)], "/levels/0/timeout_minutes"),
    ],
)  # fmt: skip
def test_a_level_that_cannot_be_used_is_pointed_at(levels, pointer):
    with pytest.raises(Invalid) as refused:
        require_usable(as_listed(levels))

    assert refused.value.pointer == pointer


@pytest.mark.parametrize(
    "level", [PlanLevel((ANA,), 1), PlanLevel((TEAM,), 3), PlanLevel((TEAM, ROTA, BO, CHANNEL), 10)]
)
def test_a_usable_level_is_accepted(level):
    require_usable(as_listed([level]))


@given(st.lists(some_levels, max_size=4))
def test_what_is_accepted_names_people_by_id_and_gives_teams_time(levels):
    try:
        require_usable(as_listed(levels))
    except Invalid:
        return

    for level in levels:
        for target in level.targets:
            assert (target.type, target.id is None) in {
                (TargetType.USER, False),
                (TargetType.SCHEDULE, False),
                (TargetType.TEAM_CHANNEL, False),
                (TargetType.ENTIRE_TEAM, True),
            }
        assert level.targets[0].type is not TargetType.TEAM_CHANNEL
        assert level.timeout_minutes >= (3 if TEAM in level.targets else 1)


def test_an_unknown_user_is_pointed_at():
    levels = [PlanLevel((ANA,), 5), PlanLevel((TEAM, BO), 5)]

    with pytest.raises(Invalid) as refused:
        require_known(as_listed(levels), {ANA_ID}, set())

    assert refused.value.pointer == "/levels/1/additional_targets/0/target_id"


def test_an_unknown_schedule_is_pointed_at():
    levels = [PlanLevel((ANA,), 5), PlanLevel((ROTA,), 5)]

    with pytest.raises(Invalid) as refused:
        require_known(as_listed(levels), {ANA_ID}, set())

    assert refused.value.pointer == "/levels/1/target_id"


def test_an_unknown_channel_is_pointed_at():
    levels = [PlanLevel((ANA, CHANNEL), 5)]

    with pytest.raises(Invalid) as refused:
        require_known(as_listed(levels), {ANA_ID}, set(), {ROTA_ID})

    assert refused.value.pointer == "/levels/0/additional_targets/0/target_id"


def test_users_are_found_wherever_they_stand():
    levels = [PlanLevel((ANA, TEAM), 5), PlanLevel((ROTA, BO), 5)]

    assert named(as_listed(levels), TargetType.USER) == {ANA_ID, BO_ID}
    assert named(as_listed(levels), TargetType.SCHEDULE) == {ROTA_ID}


@given(some_levels)
def test_merging_names_each_target_once_in_the_same_order(level):
    once = merged(level)

    assert sorted(once.targets, key=level.targets.index) == list(once.targets)
    assert set(once.targets) == set(level.targets)
    assert len(set(once.targets)) == len(once.targets)
    assert once.timeout_minutes == level.timeout_minutes
