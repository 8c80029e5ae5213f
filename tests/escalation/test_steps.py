"""The climb, decided without clock or database."""

from hypothesis import given
from hypothesis import strategies as st

from incident_service.escalation.steps import (
    FIRST,
    Exhausted,
    NobodyToPage,
    Page,
    Position,
    exhaustion,
    following,
    next_step,
)
from incident_service.policies.models import TargetType
from incident_service.policies.plan import Plan, PlanLevel, Target

TEAM = (Target(TargetType.ENTIRE_TEAM),)


def plan_of(levels: int, repeats: int = 1) -> Plan:
    return Plan(
        levels=tuple(PlanLevel(TEAM, timeout_minutes=5 + number) for number in range(levels)),
        repeat_count=repeats,
    )


plans = st.builds(plan_of, st.integers(1, 10), st.integers(1, 9))


def walk(plan: Plan, reachable: set[int]) -> list[Page | Exhausted | NobodyToPage]:
    """Follow the climb to its end, as time passes and nobody answers."""
    taken: list[Page | Exhausted | NobodyToPage] = []
    due = FIRST
    while True:
        step = next_step(plan, due, reachable)
        taken.append(step)
        if not isinstance(step, Page):
            return taken
        due = step.following


@given(plans)
def test_every_level_is_paged_in_order_as_often_as_the_plan_repeats(plan):
    *pages, last = walk(plan, set(range(1, 11)))

    expected = [
        Position(repeat, level)
        for repeat in range(1, plan.repeat_count + 1)
        for level in range(1, len(plan.levels) + 1)
    ]
    assert [page.at for page in pages if isinstance(page, Page)] == expected
    assert last == Exhausted(exhaustion(plan))


@given(plans, st.data())
def test_only_levels_with_somebody_to_page_are_paged(plan, data):
    reachable = data.draw(st.sets(st.integers(1, len(plan.levels))))

    pages = [step for step in walk(plan, reachable) if isinstance(step, Page)]

    assert {page.at.level for page in pages} == reachable
    assert len(pages) == len(reachable) * plan.repeat_count


@given(plans, st.data())
def test_each_position_is_paged_or_skipped_exactly_once(plan, data):
    reachable = data.draw(st.sets(st.integers(1, len(plan.levels)), min_size=1))

    steps = walk(plan, reachable)

    taken = [step.at for step in steps] + [gone for step in steps for gone in step.skipped]
    assert len(taken) == len(set(taken)) == len(plan.levels) * plan.repeat_count + 1


@given(plans)
def test_a_page_waits_as_long_as_its_own_level_says(plan):
    for step in walk(plan, {1, len(plan.levels)}):
        if isinstance(step, Page):
            assert step.wait_minutes == plan.levels[step.at.level - 1].timeout_minutes


@given(plans)
def test_a_pass_that_would_page_nobody_ends_the_climb_at_once(plan):
    step = next_step(plan, FIRST, reachable=set())

    assert isinstance(step, NobodyToPage)
    assert len(step.skipped) == len(plan.levels)


def test_a_plan_without_levels_pages_nobody():
    for plan in (Plan(), Plan(repeat_count=2)):
        assert next_step(plan, FIRST, reachable=set()) == NobodyToPage(exhaustion(plan))


def test_74_the_last_levels_time_is_over_before_the_climb_is_exhausted():
    plan = plan_of(2)

    step = next_step(plan, Position(1, 2), reachable={1, 2})

    assert isinstance(step, Page)
    assert step.following == exhaustion(plan)


@given(plans)
def test_following_always_goes_up_and_ends_at_the_exhaustion(plan):
    position, steps = FIRST, 0
    while position != exhaustion(plan):
        assert following(plan, position) > position
        position, steps = following(plan, position), steps + 1

    assert steps == len(plan.levels) * plan.repeat_count
