"""Schedules through the API. The clock stands at noon on Monday, 2 November 2026."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from tests import factories
from tests.credentials import key_with, limited_to
from tests.schedules.arrangements import URL, layer, make, schedule
from tests.stage import Stage

from incident_service.teams.models import User

NOON = "2026-11-02T12:00:00Z"


async def on_call(api: httpx.AsyncClient, made: dict[str, Any], at: str = NOON) -> str | None:
    answer = await api.get(f"{URL}/{made['id']}/on-call", params={"at": at})
    found = answer.json()["now"]
    return str(found["user_id"]) if found else None


@pytest.fixture
async def weekly(api, stage) -> dict[str, Any]:
    """First and second take turns of a week."""
    return await make(api, schedule(stage, layer(stage.first, stage.second)))


async def test_a_schedule_is_made_with_sensible_defaults(weekly, stage):
    (made,) = weekly["layers"]

    assert made | {"id": ""} == {
        "id": "",
        "name": "Weekly",
        "unit": "week",
        "every": 1,
        "handoff_time": "09:00",
        "handoff_weekday": "monday",
        "starts_at": NOON,
        "ends_at": None,
        "participants": [str(stage.first.id), str(stage.second.id)],
        "restrictions": [],
    }


async def test_it_says_who_is_on_call_until_when_and_who_is_next(api, weekly, stage):
    answer = await api.get(f"{URL}/{weekly['id']}/on-call")

    handoff = "2026-11-09T08:00:00Z"
    shown = answer.json()
    assert (shown["at"], shown["schedule_name"]) == (NOON, "Primary")
    assert (shown["now"]["user_id"], shown["now"]["ends_at"]) == (str(stage.first.id), handoff)
    assert (shown["now"]["user_name"], shown["next"]["user_name"]) == ("First", "Second")
    assert (shown["next"]["user_id"], shown["next"]["starts_at"]) == (str(stage.second.id), handoff)


async def test_everybody_on_call_is_seen_at_once(api, weekly, stage):
    await make(api, schedule(stage, name="Empty"))

    answer = await api.get("/v1/on-call")

    found = {item["schedule_name"]: item["now"] for item in answer.json()["items"]}
    assert found["Primary"]["user_id"] == str(stage.first.id)
    assert found["Empty"] is None


async def test_shifts_and_gaps_are_listed(api, stage):
    office = {"weekdays": ["monday", "tuesday"], "from_time": "09:00", "to_time": "17:00"}
    made = await make(api, schedule(stage, layer(stage.first, restrictions=[office])))
    span = {"from": NOON, "to": "2026-11-04T00:00:00Z"}

    shifts = (await api.get(f"{URL}/{made['id']}/shifts", params=span)).json()
    gaps = (await api.get(f"{URL}/{made['id']}/gaps", params=span)).json()

    assert [(each["starts_at"], each["ends_at"]) for each in shifts["shifts"]] == [
        (NOON, "2026-11-02T16:00:00Z"),
        ("2026-11-03T08:00:00Z", "2026-11-03T16:00:00Z"),
    ]
    assert gaps == shifts["gaps"]
    assert gaps[0] == {"starts_at": "2026-11-02T16:00:00Z", "ends_at": "2026-11-03T08:00:00Z"}


async def test_57_a_preview_says_what_the_saved_schedule_will_say(api, stage):
    body = schedule(stage, layer(stage.first, stage.second, unit="day"))
    span = {"from": NOON, "to": "2026-11-20T12:00:00Z"}

    previewed = await api.post(
        f"{URL}/preview", json={key: body[key] for key in ("time_zone", "layers")} | span
    )
    made = await make(api, body)
    saved = await api.get(f"{URL}/{made['id']}/shifts", params=span)

    def told(answer: httpx.Response) -> list[tuple[str, ...]]:
        return [
            (each["user_id"], each["starts_at"], each["ends_at"])
            for each in answer.json()["shifts"]
        ]

    assert told(previewed) == told(saved)
    assert len(told(saved)) > 10


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"time_zone": "Mars/Olympus"}, "/time_zone"),
        ({"layers": [{"name": "A", "participants": []}]}, "/layers/0/participants"),
        ({"layers": [{"name": "A", "participants": [str(uuid4())]}]}, "/layers/0/participants/0"),
        (
            {"layers": [{"name": "A", "unit": "day", "handoff_weekday": "monday"}]},
            "/layers/0/participants",
        ),
        ({"layers": [{"name": "A", "handoff_time": "09:00:30"}]}, "/layers/0/handoff_time"),
        ({"layers": [{"name": "A", "every": 0}]}, "/layers/0/every"),
    ],
)
async def test_a_schedule_that_is_wrong_is_refused(api, stage, wrong, pointer):
    answer = await api.post(URL, json=schedule(stage) | wrong)

    assert answer.status_code == 422
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


async def test_nobody_takes_two_turns_of_one_layer(api, stage):
    answer = await api.post(URL, json=schedule(stage, layer(stage.first, stage.first)))

    assert answer.json()["errors"][0]["pointer"] == "/layers/0/participants/1"


async def test_55_who_is_on_call_stays_so_when_participants_change(api, weekly, stage):
    (before,) = weekly["layers"]
    people = [stage.manager, stage.second, stage.first]

    answer = await api.patch(
        f"{URL}/{weekly['id']}", json={"layers": [layer(*people, id=before["id"])]}
    )

    assert answer.json()["layers"][0]["id"] == before["id"]
    assert await on_call(api, weekly) == str(stage.first.id)
    assert await on_call(api, weekly, "2026-11-10T12:00:00Z") == str(stage.manager.id)


async def test_a_later_layer_covers_those_before_it(api, stage):
    made = await make(
        api,
        schedule(stage, layer(stage.first), layer(stage.second, ends_at="2026-11-03T12:00:00Z")),
    )

    assert await on_call(api, made) == str(stage.second.id)
    assert await on_call(api, made, "2026-11-03T12:00:00Z") == str(stage.first.id)


async def override(api: httpx.AsyncClient, made: dict[str, Any], user: User, **more: str) -> Any:
    times = {"starts_at": NOON, "ends_at": "2026-11-02T18:00:00Z"} | more
    return await api.post(f"{URL}/{made['id']}/overrides", json={"user_id": str(user.id)} | times)


async def test_an_override_covers_every_layer_and_its_end_restores_them(api, weekly, stage):
    made = await override(api, weekly, stage.second)
    during = await on_call(api, weekly)

    deleted = await api.delete(f"{URL}/{weekly['id']}/overrides/{made.json()['id']}")

    assert (made.status_code, deleted.status_code) == (201, 204)
    assert during == str(stage.second.id)
    assert await on_call(api, weekly) == str(stage.first.id)


async def test_58_an_override_that_began_in_the_past_takes_effect_now(api, weekly, stage):
    made = await override(api, weekly, stage.second, starts_at="2026-11-01T12:00:00Z")

    assert made.json()["starts_at"] == NOON


async def test_58_deleting_an_override_that_runs_leaves_what_is_over(api, weekly, stage, clock):
    made = await override(api, weekly, stage.second)
    clock.advance(hours=2)

    await api.delete(f"{URL}/{weekly['id']}/overrides/{made.json()['id']}")

    assert await on_call(api, weekly, "2026-11-02T13:00:00Z") == str(stage.second.id)
    assert await on_call(api, weekly, "2026-11-02T14:00:00Z") == str(stage.first.id)


async def test_45_overrides_that_overlap_are_refused(api, weekly, stage):
    await override(api, weekly, stage.second)

    overlapping = await override(api, weekly, stage.manager, ends_at="2026-11-02T12:00:01Z")
    adjacent = await override(
        api,
        weekly,
        stage.manager,
        starts_at="2026-11-02T18:00:00Z",
        ends_at="2026-11-02T20:00:00Z",
    )

    assert overlapping.status_code == 409
    assert overlapping.json()["code"] == "overrides_overlap"
    assert adjacent.status_code == 201


async def test_45_of_overrides_made_at_once_one_wins(api, weekly, stage):
    people = [stage.first, stage.second, stage.manager] * 4

    answers = await asyncio.gather(*(override(api, weekly, person) for person in people))

    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 11


async def test_another_teams_schedule_is_not_there(api, transactions, weekly):
    async with transactions.open() as tx:
        other = await factories.make_team(tx)
    stranger = await limited_to(transactions, other)

    for path in ("", "/on-call", "/shifts", "/gaps", "/overrides"):
        assert (await api.get(f"{URL}/{weekly['id']}{path}", headers=stranger)).status_code == 404
    assert (await api.get("/v1/on-call", headers=stranger)).json()["items"] == []


async def test_readers_change_nothing(api, transactions, weekly, stage):
    api.headers.update(await key_with(transactions, scopes=["read"]))

    answers = [
        await api.post(URL, json=schedule(stage, name="Other")),
        await api.patch(f"{URL}/{weekly['id']}", json={"name": "Other"}),
        await api.delete(f"{URL}/{weekly['id']}"),
        await override(api, weekly, stage.second),
    ]

    assert [answer.status_code for answer in answers] == [403] * 4


async def page_schedule(api: httpx.AsyncClient, stage: Stage, made: dict[str, Any]) -> None:
    """Have level 1 page whoever the schedule has on call, and level 2 the second one."""
    answer = await api.patch(
        f"/v1/escalation-policies/{stage.policy.id}",
        json={
            "levels": [
                {"target_type": "schedule", "target_id": made["id"], "timeout_minutes": 5},
                {"target_type": "user", "target_id": str(stage.second.id), "timeout_minutes": 5},
            ]
        },
    )
    assert answer.status_code == 200, answer.text


async def test_a_level_pages_whoever_is_on_call_when_it_runs(api, weekly, stage, clock):
    await page_schedule(api, stage, weekly)
    await override(api, weekly, stage.manager)

    await stage.fire("Disk")

    assert await stage.told(await stage.incident()) == ["Manager"]


async def test_47_a_gap_pages_the_next_level_at_once(api, stage, clock):
    made = await make(
        api,
        schedule(
            stage,
            layer(
                stage.first,
                restrictions=[{"weekdays": ["sunday"], "from_time": "09:00", "to_time": "10:00"}],
            ),
        ),
    )
    await page_schedule(api, stage, made)

    await stage.fire("Disk")

    assert await stage.told(await stage.incident()) == ["Second"]


async def test_44_who_is_meant_twice_is_told_once(api, weekly, stage):
    await api.patch(
        f"/v1/escalation-policies/{stage.policy.id}",
        json={
            "levels": [
                {
                    "target_type": "schedule",
                    "target_id": weekly["id"],
                    "additional_targets": [
                        {"target_type": "user", "target_id": str(stage.first.id)}
                    ],
                }
            ]
        },
    )

    await stage.fire("Disk")

    assert await stage.told(await stage.incident()) == ["First"]


async def test_46_a_schedule_that_a_policy_pages_is_not_deleted(api, weekly, stage):
    await page_schedule(api, stage, weekly)

    answer = await api.delete(f"{URL}/{weekly['id']}")

    assert answer.status_code == 409
    assert stage.policy.name in answer.json()["detail"]


async def test_a_schedule_that_nobody_needs_is_deleted_with_all_of_it(api, weekly, stage):
    await override(api, weekly, stage.second)

    answer = await api.delete(f"{URL}/{weekly['id']}")

    assert answer.status_code == 204
    assert (await api.get(f"{URL}/{weekly['id']}")).status_code == 404


async def test_somebody_who_takes_turns_is_not_deleted(api, weekly, stage):
    answer = await api.delete(f"/v1/users/{stage.first.id}")

    assert answer.status_code == 409
    assert "Primary" in answer.json()["detail"]


async def test_a_span_has_to_be_one(api, weekly, stage):
    backwards = {"from": NOON, "to": "2026-11-01T12:00:00Z"}

    answer = await api.get(f"{URL}/{weekly['id']}/shifts", params=backwards)

    assert answer.status_code == 422
    assert answer.json()["code"] == "span_wrong"


async def test_in_the_year_after_next_it_is_still_known_who_is_on_call(api, weekly, clock):
    far = (clock() + timedelta(days=700)).isoformat()

    assert await on_call(api, weekly, far) is not None


async def test_54_months_have_no_equal_length_and_are_refused(api, stage):
    answer = await api.post(URL, json=schedule(stage, layer(stage.first, unit="month")))

    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["pointer"] == "/layers/0/unit"


async def test_a_new_time_zone_leaves_the_present_turn_alone(api, stage, clock):
    days = layer(
        stage.first,
        stage.second,
        unit="day",
        starts_at="2026-11-01T08:30:00Z",
        handoff_time="09:00",
    )
    made = await make(api, schedule(stage, days, time_zone="UTC"))
    url = f"{URL}/{made['id']}"
    clock.now = clock.now.replace(hour=8, minute=30)
    before = (await api.get(f"{url}/on-call")).json()["now"]["user_id"]

    await api.patch(url, json={"time_zone": "Europe/Berlin"})

    assert (await api.get(f"{url}/on-call")).json()["now"]["user_id"] == before


async def test_57_the_preview_of_an_edit_is_what_saving_it_gives(api, stage, clock):
    made = await make(api, schedule(stage, layer(stage.first, stage.second, unit="day")))
    url = f"{URL}/{made['id']}"
    clock.advance(minutes=36 * 60)
    begins = clock.now
    override = {
        "user_id": str(stage.manager.id),
        "starts_at": (begins + timedelta(hours=30)).isoformat(),
        "ends_at": (begins + timedelta(hours=33)).isoformat(),
    }
    await api.post(f"{url}/overrides", json=override)
    (present,) = made["layers"]
    edited = present | {"participants": [str(stage.manager.id), *reversed(present["participants"])]}

    preview = await api.post(
        f"{URL}/preview",
        json={"schedule_id": made["id"], "time_zone": made["time_zone"], "layers": [edited]},
    )
    await api.patch(url, json={"layers": [edited]})

    assert preview.json() == (await api.get(f"{url}/shifts")).json()


async def test_a_preview_changes_only_layers_of_its_schedule(api, stage):
    made = await make(api, schedule(stage, layer(stage.first)))

    answer = await api.post(
        f"{URL}/preview", json={"time_zone": made["time_zone"], "layers": made["layers"]}
    )

    assert answer.json()["errors"][0]["pointer"] == "/layers/0/id"


async def test_more_shifts_than_there_is_time_for_are_refused(api, stage):
    layers = [layer(stage.first, stage.second, unit="hour") for _ in range(20)]
    body = {"time_zone": "UTC", "layers": layers, "to": "2027-10-01T00:00:00Z"}

    answer = await api.post(f"{URL}/preview", json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "too_many_shifts")


async def test_an_override_that_is_over_keeps_nobody_and_stays(api, stage, clock):
    made = await make(api, schedule(stage))
    url = f"{URL}/{made['id']}/overrides"
    body = {
        "user_id": str(stage.manager.id),
        "starts_at": clock.now.isoformat(),
        "ends_at": (clock.now + timedelta(hours=1)).isoformat(),
    }
    override = (await api.post(url, json=body)).json()
    clock.advance(minutes=60)

    deleted = await api.delete(f"{url}/{override['id']}")
    inactive = await api.patch(f"/v1/users/{stage.manager.id}", json={"is_active": False})

    assert (deleted.status_code, deleted.json()["code"]) == (409, "override_is_over")
    assert inactive.status_code == 200


@pytest.mark.parametrize("name", ["two\nlines", "a\x85b", "tab\tbed"])
async def test_a_name_is_one_line(api, stage, name):
    answer = await api.post(URL, json=schedule(stage, name=name))

    assert answer.json()["errors"][0]["pointer"] == "/name"
