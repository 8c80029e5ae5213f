import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest
from tests import factories
from tests.credentials import key_with, limited_to

from incident_service.incidents.lifecycle import Status
from incident_service.policies.queries import load_plans
from incident_service.teams.models import Team, User

URL = "/v1/escalation-policies"


@pytest.fixture
async def team(transactions):
    async with transactions.open() as tx:
        return await factories.make_team(tx)


@pytest.fixture
async def user(transactions, team):
    async with transactions.open() as tx:
        return await factories.make_user(tx, team=team)


def page(user: User, **more: Any) -> dict[str, Any]:
    return {"target_type": "user", "target_id": str(user.id)} | more


def policy(
    team: Team, *levels: dict[str, Any], name: str = "Nights", **more: Any
) -> dict[str, Any]:
    return {"team_id": str(team.id), "name": name, "levels": list(levels)} | more


async def test_a_policy_is_made_with_sensible_defaults(api, team):
    answer = await api.post(URL, json={"team_id": str(team.id), "name": "Nights"})

    assert answer.status_code == 201
    assert answer.json() == {
        "id": answer.json()["id"],
        "team_id": str(team.id),
        "name": "Nights",
        "description": "",
        "is_default": False,
        "is_active": True,
        "repeat_count": 1,
        "ack_timeout_minutes": None,
        "exhausted_reminder_minutes": 30,
        "levels": [],
        "warnings": [
            {
                "code": "no_levels",
                "level_number": None,
                "message": "The policy has no levels: it pages the team's managers.",
            }
        ],
        "created_at": "2026-11-02T12:00:00Z",
        "updated_at": "2026-11-02T12:00:00Z",
    }


async def test_levels_are_numbered_in_the_order_given(api, team, user):
    whole_team = {"target_type": "entire_team", "timeout_minutes": 3}
    both = page(user, additional_targets=[{"target_type": "entire_team"}])

    answer = await api.post(URL, json=policy(team, page(user, timeout_minutes=1), whole_team, both))

    ana = {"target_type": "user", "target_id": str(user.id)}
    everybody = {"target_type": "entire_team", "target_id": None}
    assert answer.json()["levels"] == [
        ana | {"level_number": 1, "additional_targets": [], "timeout_minutes": 1},
        everybody | {"level_number": 2, "additional_targets": [], "timeout_minutes": 3},
        ana | {"level_number": 3, "additional_targets": [everybody], "timeout_minutes": 30},
    ]


async def test_the_plan_of_a_policy_is_what_was_asked_for(api, transactions, team, user):
    level = page(user, additional_targets=[{"target_type": "entire_team"}], timeout_minutes=7)
    made = (await api.post(URL, json=policy(team, level))).json()

    async with transactions.open() as tx:
        [plan] = (await load_plans(tx.session, [made["id"]])).values()
    assert [target.id for target in plan.levels[0].targets] == [user.id, None]
    assert plan.levels[0].timeout_minutes == 7


async def test_a_target_named_twice_in_a_level_counts_once(api, team, user):
    level = page(user, additional_targets=[page(user), {"target_type": "entire_team"}, page(user)])

    answer = await api.post(URL, json=policy(team, level))

    [shown] = answer.json()["levels"]
    assert shown["additional_targets"] == [{"target_type": "entire_team", "target_id": None}]


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"repeat_count": 0}, "/repeat_count"),
        ({"repeat_count": 10}, "/repeat_count"),
        ({"ack_timeout_minutes": 0}, "/ack_timeout_minutes"),
        ({"exhausted_reminder_minutes": 0}, "/exhausted_reminder_minutes"),
        ({"levels": [{"target_type": "entire_team"}] * 11}, "/levels"),
        ({"levels": [{"target_type": "boss"}]}, "/levels/0/target_type"),
        (
            {"levels": [{"target_type": "schedule", "target_id": str(uuid4())}]},
            "/levels/0/target_id",
        ),
        ({"levels": [{"target_type": "user"}]}, "/levels/0/target_id"),
        (
            {"levels": [{"target_type": "user", "target_id": str(uuid4())}]},
            "/levels/0/target_id",
        ),
        (
            {"levels": [{"target_type": "entire_team", "target_id": str(uuid4())}]},
            "/levels/0/target_id",
        ),
        (
            {"levels": [{"target_type": "entire_team", "timeout_minutes": 2}]},
            "/levels/0/timeout_minutes",
        ),
        (
            {"levels": [{"target_type": "entire_team", "timeout_minutes": 10081}]},
            "/levels/0/timeout_minutes",
        ),
        (
            {
                "levels": [
                    {
                        "target_type": "entire_team",
                        "additional_targets": [{"target_type": "schedule"}],
                    }
                ]
            },
            "/levels/0/additional_targets/0/target_id",
        ),
    ],
)
async def test_a_policy_that_is_wrong_is_refused(api, team, wrong, pointer):
    answer = await api.post(URL, json=policy(team) | wrong)

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_a_level_of_a_person_needs_a_minute(api, team, user):
    answer = await api.post(URL, json=policy(team, page(user, timeout_minutes=0)))

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/levels/0/timeout_minutes"


async def test_an_inactive_user_cannot_be_named(api, transactions, team):
    async with transactions.open() as tx:
        gone = await factories.make_user(tx, is_active=False)

    answer = await api.post(URL, json=policy(team, page(gone)))

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/levels/0/target_id"


async def test_one_name_twice_in_a_team_is_a_conflict(api, transactions, team):
    async with transactions.open() as tx:
        other = await factories.make_team(tx)
    await api.post(URL, json=policy(team))

    again = await api.post(URL, json=policy(team, name="NIGHTS"))
    elsewhere = await api.post(URL, json=policy(other))

    assert again.status_code == 409
    assert again.json()["code"] == "escalation_policies_name"
    assert elsewhere.status_code == 201


async def test_policies_are_shown_and_listed_with_their_levels(api, team, user):
    first = (await api.post(URL, json=policy(team, page(user)))).json()
    second = (await api.post(URL, json=policy(team, name="Days"))).json()

    shown = await api.get(f"{URL}/{first['id']}")
    listed = await api.get(URL)

    assert shown.json() == first
    assert listed.json() == {"items": [first, second], "next_cursor": None}


async def test_the_list_can_be_narrowed_to_a_team(api, transactions, team):
    async with transactions.open() as tx:
        other = await factories.make_team(tx)
    await api.post(URL, json=policy(team))
    wanted = (await api.post(URL, json=policy(other))).json()

    listed = await api.get(URL, params={"team_id": str(other.id)})

    assert listed.json()["items"] == [wanted]


@pytest.mark.parametrize("method", ["get", "patch", "delete"])
async def test_an_unknown_policy_is_404(api, method):
    body = {"json": {"name": "X"}} if method == "patch" else {}

    answer = await api.request(method, f"{URL}/{uuid4()}", **body)

    assert answer.status_code == 404
    assert answer.json()["code"] == "escalation_policy_not_found"


async def test_an_unknown_team_is_404(api):
    answer = await api.post(URL, json={"team_id": str(uuid4()), "name": "Nights"})

    assert answer.status_code == 404
    assert answer.json()["code"] == "team_not_found"


async def test_a_change_leaves_the_levels_when_they_are_not_sent(api, team, user, clock):
    made = (await api.post(URL, json=policy(team, page(user)))).json()
    changes = {
        "name": "Days",
        "description": "Office hours",
        "is_active": False,
        "repeat_count": 3,
        "ack_timeout_minutes": 60,
        "exhausted_reminder_minutes": None,
    }
    clock.advance(hours=1)

    answer = await api.patch(f"{URL}/{made['id']}", json=changes)

    assert answer.status_code == 200
    assert [each["code"] for each in answer.json()["warnings"]] == ["inactive"]
    assert answer.json() == made | changes | {
        "warnings": answer.json()["warnings"],
        "updated_at": "2026-11-02T13:00:00Z",
        "open_incidents_on_old_plan": 0,
    }


async def test_levels_are_replaced_as_a_whole(api, team, user):
    whole_team = {"target_type": "entire_team"}
    made = (await api.post(URL, json=policy(team, page(user), whole_team))).json()

    answer = await api.patch(f"{URL}/{made['id']}", json={"levels": [whole_team]})

    assert [level["target_type"] for level in answer.json()["levels"]] == ["entire_team"]
    assert (await api.get(f"{URL}/{made['id']}")).json()["levels"] == answer.json()["levels"]


async def test_refused_levels_leave_the_policy_as_it_was(api, team, user):
    made = (await api.post(URL, json=policy(team, page(user)))).json()

    answer = await api.patch(
        f"{URL}/{made['id']}", json={"name": "X", "levels": [{"target_type": "user"}]}
    )

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/levels/0/target_id"
    assert (await api.get(f"{URL}/{made['id']}")).json() == made


async def test_changes_of_one_policy_at_once_take_turns(api, team, user):
    made = (await api.post(URL, json=policy(team, page(user)))).json()
    levels = [page(user), {"target_type": "entire_team"}]

    answers = await asyncio.gather(
        *(api.patch(f"{URL}/{made['id']}", json={"levels": levels}) for _ in range(5))
    )

    assert [answer.status_code for answer in answers] == [200] * 5
    assert len((await api.get(f"{URL}/{made['id']}")).json()["levels"]) == 2


async def defaults(api: httpx.AsyncClient) -> list[str]:
    listed = (await api.get(URL)).json()["items"]
    return [item["name"] for item in listed if item["is_default"]]


async def test_a_new_default_takes_over(api, team):
    await api.post(URL, json=policy(team, name="Old", is_default=True))

    answer = await api.post(URL, json=policy(team, name="New", is_default=True))

    assert answer.status_code == 201
    assert await defaults(api) == ["New"]


async def test_a_policy_that_becomes_the_default_takes_over(api, team):
    await api.post(URL, json=policy(team, name="Old", is_default=True))
    made = (await api.post(URL, json=policy(team, name="New"))).json()

    answer = await api.patch(f"{URL}/{made['id']}", json={"is_default": True})

    assert answer.json()["is_default"] is True
    assert await defaults(api) == ["New"]


async def test_each_team_has_its_own_default(api, transactions, team):
    async with transactions.open() as tx:
        other = await factories.make_team(tx)
    await api.post(URL, json=policy(team, name="Ours", is_default=True))

    await api.post(URL, json=policy(other, name="Theirs", is_default=True))

    assert await defaults(api) == ["Ours", "Theirs"]


async def test_the_default_may_be_given_up(api, team):
    made = (await api.post(URL, json=policy(team, is_default=True))).json()

    await api.patch(f"{URL}/{made['id']}", json={"is_default": False})

    assert await defaults(api) == []


async def test_new_defaults_at_once_leave_one(api, team):
    await api.post(URL, json=policy(team, name="Old", is_default=True))

    answers = await asyncio.gather(
        *(api.post(URL, json=policy(team, name=f"P{i}", is_default=True)) for i in range(5))
    )

    assert [answer.status_code for answer in answers] == [201] * 5
    assert len(await defaults(api)) == 1


async def test_a_change_says_how_many_incidents_run_on_the_old_plan(api, transactions, team):
    made = (await api.post(URL, json=policy(team))).json()
    async with transactions.open() as tx:
        service = await factories.make_service(tx, team)
        for status in Status:
            await factories.make_incident(
                tx, service, status=status, escalation_policy_id=made["id"]
            )
        await factories.make_incident(tx, service)

    answer = await api.patch(f"{URL}/{made['id']}", json={"repeat_count": 2})

    assert answer.json()["open_incidents_on_old_plan"] == 2


async def test_a_deleted_policy_is_gone_and_its_ended_incidents_stay(api, transactions, team, user):
    made = (await api.post(URL, json=policy(team, page(user)))).json()
    async with transactions.open() as tx:
        service = await factories.make_service(tx, team)
        incident = await factories.make_incident(
            tx, service, escalation_policy_id=made["id"], status=Status.RESOLVED
        )

    answer = await api.delete(f"{URL}/{made['id']}")

    shown = (await api.get(f"/v1/incidents/{incident.id}")).json()
    assert answer.status_code == 204
    assert (await api.get(f"{URL}/{made['id']}")).status_code == 404
    assert shown["escalation_policy_id"] is None


@pytest.mark.parametrize("status", [Status.OPEN, Status.ACKNOWLEDGED])
async def test_34_a_policy_that_an_active_incident_uses_is_not_deleted(
    api, transactions, team, status
):
    made = (await api.post(URL, json=policy(team))).json()
    async with transactions.open() as tx:
        service = await factories.make_service(tx, team)
        await factories.make_incident(tx, service, escalation_policy_id=made["id"], status=status)

    answer = await api.delete(f"{URL}/{made['id']}")

    assert (answer.status_code, answer.json()["code"]) == (409, "policy_in_use")


async def test_a_policy_that_a_service_uses_stays(api, transactions, team):
    made = (await api.post(URL, json=policy(team))).json()
    async with transactions.open() as tx:
        await factories.make_service(tx, team, escalation_policy_id=made["id"])

    answer = await api.delete(f"{URL}/{made['id']}")

    assert answer.status_code == 409
    assert answer.json()["code"] == "policy_in_use"
    assert "Services" in answer.json()["detail"]


async def test_a_user_is_not_deleted_while_a_policy_begins_to_page_them(api, team, user):
    made, deleted = await asyncio.gather(
        api.post(URL, json=policy(team, page(user))), api.delete(f"/v1/users/{user.id}")
    )

    assert (made.status_code, deleted.status_code) in {(201, 409), (422, 204)}


@pytest.mark.parametrize(
    ("method", "path"), [("post", ""), ("patch", "/{id}"), ("delete", "/{id}")]
)
async def test_changes_need_the_scope_manage(api, transactions, team, method, path):
    reader = await key_with(transactions, scopes=["read", "respond"])
    made = (await api.post(URL, json=policy(team))).json()
    body = {"json": policy(team)} if method == "post" else {}
    body = {"json": {"name": "X"}} if method == "patch" else body

    answer = await api.request(method, URL + path.format(id=made["id"]), headers=reader, **body)

    assert answer.status_code == 403


async def test_another_teams_policies_do_not_exist(api, transactions, team):
    async with transactions.open() as tx:
        ours = await factories.make_team(tx)
    one = f"{URL}/{(await api.post(URL, json=policy(team))).json()['id']}"
    headers = await limited_to(transactions, ours)

    answers = [
        await api.get(one, headers=headers),
        await api.patch(one, headers=headers, json={"name": "X"}),
        await api.delete(one, headers=headers),
        await api.post(URL, headers=headers, json=policy(team, name="Y")),
    ]

    assert [answer.status_code for answer in answers] == [404] * 4
    assert (await api.get(URL, headers=headers)).json()["items"] == []


async def test_a_limited_key_manages_its_own_teams_policies(api, transactions, team):
    headers = await limited_to(transactions, team)

    made = await api.post(URL, headers=headers, json=policy(team))
    changed = await api.patch(
        f"{URL}/{made.json()['id']}", headers=headers, json={"is_default": True}
    )

    assert [made.status_code, changed.status_code] == [201, 200]
