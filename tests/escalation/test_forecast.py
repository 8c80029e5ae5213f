"""The preview of a policy, and that it says what a climb then does."""

from typing import Any

import httpx
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes import NOON
from tests.policies.arrangements import give_levels, of_schedule, of_user
from tests.schedules.arrangements import layer, make, schedule
from tests.stage import MINUTE, Stage

from incident_service.core.ids import new_id
from incident_service.escalation import steps
from incident_service.escalation.forecast import foresee
from incident_service.policies.models import TargetType
from incident_service.policies.plan import Plan, PlanLevel, Target
from incident_service.policies.targets import Person, Reach

TEAM = new_id()
ADA = Person(new_id(), "Ada", (new_id(),))
NOBODY = Target(TargetType.USER, new_id())
levels = st.builds(
    PlanLevel,
    st.sampled_from([(Target(TargetType.USER, ADA.id),), (NOBODY,)]),
    st.integers(1, 60),
)
plans = st.builds(Plan, st.lists(levels, max_size=4).map(tuple), st.integers(1, 3))


@given(plans)
def test_each_level_of_each_pass_comes_once_and_in_order(plan):
    forecast = foresee(plan, TEAM, lambda _at: Reach({ADA.id: ADA}, {}, None), NOON, MINUTE)

    places = [level.position for level in forecast.levels]
    everything = [
        steps.Position(repeat, level)
        for repeat in range(1, plan.repeat_count + 1)
        for level in range(1, len(plan.levels) + 1)
    ]
    assert places == everything[: len(places)]
    assert (places == everything) == (
        forecast.end.kind == "exhausted" or plan.repeat_count == 1 or not plan.levels
    )


@given(plans)
def test_a_level_waits_as_long_as_the_one_before_it_has(plan):
    forecast = foresee(plan, TEAM, lambda _at: Reach({ADA.id: ADA}, {}, None), NOON, MINUTE)

    times = [*(level.at for level in forecast.levels), forecast.end.at]
    assert times[0] == NOON
    for level, following in zip(forecast.levels, times[1:], strict=True):
        minutes = plan.levels[level.position.level - 1].timeout_minutes if level.people else 0
        assert following - level.at == minutes * MINUTE


async def preview(api: httpx.AsyncClient, stage: Stage, **query: str) -> Any:
    answer = await api.get(f"/v1/escalation-policies/{stage.policy.id}/preview", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def told(shown: Any) -> list[tuple[str, list[str]]]:
    """Return when each level pages whom."""
    return [
        (level["at"][11:16], [person["name"] for person in level["people"]])
        for level in shown["levels"]
    ]


async def test_a_preview_shows_each_level_of_each_pass(api, stage):
    await api.patch(f"/v1/escalation-policies/{stage.policy.id}", json={"repeat_count": 2})

    shown = await preview(api, stage)

    assert shown["total_passes"] == 2
    assert [(level["repeat"], level["level_number"]) for level in shown["levels"]] == [
        (1, 1),
        (1, 2),
        (2, 1),
        (2, 2),
    ]
    assert told(shown) == [
        ("12:00", ["First"]),
        ("12:05", ["Second"]),
        ("12:10", ["First"]),
        ("12:15", ["Second"]),
    ]
    assert shown["end"] == {
        "at": "2026-11-02T12:20:00Z",
        "kind": "exhausted",
        "managers": [{"id": str(stage.manager.id), "name": "Manager"}],
        "tells_fallback_contact": False,
    }


async def test_a_preview_follows_the_schedule_through_a_hand_off(api, stage):
    # Hand-off at 13:30 in Berlin, which is 12:30 UTC.
    hourly = layer(stage.first, stage.second, unit="day", handoff_time="13:30")
    made = await make(api, schedule(stage, hourly))
    await give_levels(api, stage, of_schedule(made), of_schedule(made))

    assert told(await preview(api, stage)) == [("12:00", ["First"]), ("12:45", ["Second"])]
    assert told(await preview(api, stage, at="2026-11-02T20:00:00Z"))[0] == ("20:00", ["Second"])


async def test_57_whom_a_preview_names_a_climb_pages(api, stage):
    hourly = layer(stage.first, stage.second, unit="hour", handoff_time="00:30")
    night = layer(
        stage.first,
        restrictions=[{"weekdays": ["friday"], "from_time": "22:00", "to_time": "06:00"}],
    )
    often = await make(api, schedule(stage, hourly, name="Often"))
    seldom = await make(api, schedule(stage, night, name="Seldom"))
    await give_levels(
        api,
        stage,
        of_schedule(often),
        of_schedule(seldom),
        of_user(stage.second.id),
        repeat_count=3,
    )
    shown = await preview(api, stage)

    await stage.fire("Disk")
    await stage.wait(minutes=200)

    people = [name for _, names in told(shown) for name in names]
    end = [person["name"] for person in shown["end"]["managers"]]
    assert [level["pages_nobody"] for level in shown["levels"]] == [False, True, False] * 3
    assert (await stage.told(await stage.incident()))[: len(people + end)] == people + end


async def test_a_policy_that_pages_nobody_says_who_is_told_instead(api, stage):
    await api.patch(f"/v1/escalation-policies/{stage.policy.id}", json={"is_active": False})

    shown = await preview(api, stage)

    assert (shown["levels"], shown["end"]["kind"]) == ([], "nobody_to_page")
    assert [person["name"] for person in shown["end"]["managers"]] == ["Manager"]
