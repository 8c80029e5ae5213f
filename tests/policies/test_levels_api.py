"""Edits of one level at a time, through the API."""

from typing import Any

import pytest
from tests.stage import MINUTE, Stage

from incident_service.teams.models import User


def url(stage: Stage, more: str = "") -> str:
    return f"/v1/escalation-policies/{stage.policy.id}/levels{more}"


def page(user: User, **more: Any) -> dict[str, Any]:
    return {"target_type": "user", "target_id": str(user.id)} | more


def people(answer: Any) -> list[str]:
    """Return whom each level pages, after a look at the numbers."""
    levels = answer.json()["levels"]
    assert [level["level_number"] for level in levels] == list(range(1, len(levels) + 1))
    return [level["target_id"] for level in levels]


async def test_a_level_is_added_at_the_end_or_at_a_number(api, stage):
    first, second, manager = (str(user.id) for user in (stage.first, stage.second, stage.manager))

    last = await api.post(url(stage), json=page(stage.manager))
    before = await api.post(url(stage), json=page(stage.manager, level_number=1))

    assert (last.status_code, people(last)) == (201, [first, second, manager])
    assert people(before) == [manager, first, second, manager]


async def test_a_level_is_replaced(api, stage):
    answer = await api.put(url(stage, "/2"), json=page(stage.manager, timeout_minutes=9))

    assert people(answer) == [str(stage.first.id), str(stage.manager.id)]
    assert [level["timeout_minutes"] for level in answer.json()["levels"]] == [5, 9]


async def test_a_level_is_removed_and_those_after_it_move_down(api, stage):
    answer = await api.delete(url(stage, "/1"))

    assert people(answer) == [str(stage.second.id)]


@pytest.mark.parametrize("number", [0, 3])
async def test_a_level_that_is_not_there_is_not_found(api, stage, number):
    answers = [
        await api.put(url(stage, f"/{number}"), json=page(stage.first)),
        await api.delete(url(stage, f"/{number}")),
    ]

    assert [(a.status_code, a.json()["code"]) for a in answers] == [(404, "level_not_found")] * 2


async def test_a_level_is_not_added_beyond_the_end(api, stage):
    answer = await api.post(url(stage), json=page(stage.first, level_number=4))

    assert answer.status_code == 404


async def test_the_eleventh_level_is_refused(api, stage):
    for _ in range(8):
        await api.post(url(stage), json=page(stage.first))

    answer = await api.post(url(stage), json=page(stage.first))

    assert (answer.status_code, answer.json()["code"]) == (422, "too_many_levels")


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"target_type": "user"}, "/target_id"),
        ({"target_type": "entire_team", "timeout_minutes": 2}, "/timeout_minutes"),
        (
            {"target_type": "entire_team", "additional_targets": [{"target_type": "user"}]},
            "/additional_targets/0/target_id",
        ),
    ],
)
async def test_a_level_that_is_wrong_is_refused_where_it_is_wrong(api, stage, wrong, pointer):
    answers = [
        await api.post(url(stage), json=wrong),
        await api.put(url(stage, "/1"), json=wrong),
    ]

    assert [a.json()["errors"][0]["pointer"] for a in answers] == [pointer] * 2


async def test_a_default_that_services_page_by_is_not_deleted(api, stage, transactions):
    made = await api.post(
        "/v1/escalation-policies",
        json={"team_id": str(stage.team.id), "name": "Default", "is_default": True},
    )
    service = {"team_id": str(stage.team.id), "name": "By default"}
    await api.post("/v1/services", json=service)

    answer = await api.delete(f"/v1/escalation-policies/{made.json()['id']}")

    assert (answer.status_code, answer.json()["code"]) == (409, "policy_in_use")
    assert "By default" in answer.json()["detail"]


async def test_31_removing_the_current_level_leaves_a_running_climb(api, stage):
    await stage.fire("Disk")

    answer = await api.delete(url(stage, "/1"))
    await stage.wait(minutes=5)

    assert answer.json()["open_incidents_on_old_plan"] == 1
    assert await stage.told(await stage.incident()) == ["First", "Second"]


async def test_32_a_level_before_the_current_one_leaves_a_running_climb(api, stage):
    await stage.fire("Disk")

    await api.post(url(stage), json=page(stage.manager, level_number=1))
    await stage.wait(minutes=5)

    assert await stage.told(await stage.incident()) == ["First", "Second"]


async def test_33_a_new_timeout_holds_for_the_next_climb(api, stage):
    await stage.fire("Disk")

    await api.put(url(stage, "/1"), json=page(stage.first, timeout_minutes=50))
    await stage.fire("Memory")
    old, new = [await stage.pending(incident) for incident in await stage.incidents()]

    assert old.scheduled_for == stage.clock() + 5 * MINUTE
    assert new.scheduled_for == stage.clock() + 50 * MINUTE


async def test_37_a_first_level_reaches_open_incidents_when_that_is_asked_for(api, stage):
    for _ in range(2):
        await api.delete(url(stage, "/1"))
    await stage.fire("Disk")

    answer = await api.post(url(stage), params={"apply_to_open": "true"}, json=page(stage.second))

    assert answer.json()["open_incidents_on_old_plan"] == 0
    assert await stage.told(await stage.incident()) == ["Manager", "Second"]
