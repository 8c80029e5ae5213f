from typing import Any
from uuid import uuid4

import pytest
from tests import factories
from tests.credentials import key_with, limited_to

from incident_service.teams.models import Team

URL = "/v1/services"


@pytest.fixture
async def team(transactions):
    async with transactions.open() as tx:
        return await factories.make_team(tx)


def service(team: Team, **more: Any) -> dict[str, Any]:
    return {"team_id": str(team.id), "name": "Disks"} | more


async def test_a_service_is_made_with_sensible_defaults(api, team):
    answer = await api.post(URL, json=service(team))

    assert answer.status_code == 201
    assert answer.json() == {
        "id": answer.json()["id"],
        "team_id": str(team.id),
        "name": "Disks",
        "description": "",
        "external_id": None,
        "escalation_policy_id": None,
        "grouping": "alert",
        "grouping_labels": [],
        "page_from": "low",
        "severity_map": {},
        "auto_resolve": True,
        "reopen_window_minutes": 15,
        "stale_after_minutes": None,
        "resolve_stale": False,
        "created_at": "2026-11-02T12:00:00Z",
        "updated_at": "2026-11-02T12:00:00Z",
    }


async def test_a_service_is_made_as_asked_for(api, transactions, team):
    async with transactions.open() as tx:
        policy = await factories.make_policy(tx, team)
    wishes = {
        "description": "Everything that spins",
        "external_id": "s-1",
        "escalation_policy_id": str(policy.id),
        "grouping": "labels",
        "grouping_labels": ["cluster", "job"],
        "page_from": "high",
        "severity_map": {"disaster": "critical"},
        "auto_resolve": False,
        "reopen_window_minutes": 0,
        "stale_after_minutes": 300,
        "resolve_stale": True,
    }

    answer = await api.post(URL, json=service(team, **wishes))

    assert answer.status_code == 201
    assert wishes.items() <= answer.json().items()
    assert (await api.get(f"{URL}/{answer.json()['id']}")).json() == answer.json()


async def test_the_severity_map_is_kept_as_alerts_are_compared(api, team):
    answer = await api.post(URL, json=service(team, severity_map={" DISASTER ": "critical"}))

    assert answer.json()["severity_map"] == {"disaster": "critical"}


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"name": " "}, "/name"),
        ({"grouping": "labels"}, "/grouping_labels"),
        ({"grouping": "labels", "grouping_labels": []}, "/grouping_labels"),
        ({"grouping": "alert", "grouping_labels": ["job"]}, "/grouping_labels"),
        ({"grouping_labels": ["job"]}, "/grouping_labels"),
        ({"grouping": "labels", "grouping_labels": [""]}, "/grouping_labels/0"),
        ({"grouping": "moon"}, "/grouping"),
        ({"page_from": "urgent"}, "/page_from"),
        ({"severity_map": {"disaster": "urgent"}}, "/severity_map/disaster"),
        ({"severity_map": {"A": "critical", "a": "low"}}, "/severity_map"),
        ({"reopen_window_minutes": -1}, "/reopen_window_minutes"),
        ({"reopen_window_minutes": 10081}, "/reopen_window_minutes"),
        ({"stale_after_minutes": 9}, "/stale_after_minutes"),
        ({"resolve_stale": True}, "/stale_after_minutes"),
        ({"escalation_policy_id": str(uuid4())}, "/escalation_policy_id"),
    ],
)
async def test_a_service_that_is_wrong_is_refused(api, team, wrong, pointer):
    answer = await api.post(URL, json=service(team, **wrong))

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_another_teams_policy_is_refused(api, transactions, team):
    async with transactions.open() as tx:
        policy = await factories.make_policy(tx, await factories.make_team(tx))
    mine = (await api.post(URL, json=service(team))).json()
    wish = {"escalation_policy_id": str(policy.id)}

    made = await api.post(URL, json=service(team, name="Other", **wish))
    changed = await api.patch(f"{URL}/{mine['id']}", json=wish)

    for answer in (made, changed):
        assert answer.status_code == 422
        assert answer.json()["code"] == "policy_not_of_team"
        assert answer.json()["errors"][0]["pointer"] == "/escalation_policy_id"


@pytest.mark.parametrize(
    ("other", "code"),
    [
        ({"name": "DISKS"}, "services_name"),
        ({"name": "Other", "external_id": "s-1"}, "services_external_id"),
    ],
)
async def test_two_services_with_one_name_or_external_id_are_a_conflict(api, team, other, code):
    await api.post(URL, json=service(team, external_id="s-1"))

    answer = await api.post(URL, json=service(team) | other)

    assert answer.status_code == 409
    assert answer.json()["code"] == code


async def test_services_are_listed_and_narrowed_to_a_team(api, transactions, team):
    async with transactions.open() as tx:
        other = await factories.make_team(tx)
    ours = (await api.post(URL, json=service(team))).json()
    theirs = (await api.post(URL, json=service(other))).json()

    everything = await api.get(URL)
    narrowed = await api.get(URL, params={"team_id": str(other.id)})

    assert everything.json() == {"items": [ours, theirs], "next_cursor": None}
    assert narrowed.json()["items"] == [theirs]


@pytest.mark.parametrize("method", ["get", "patch", "delete"])
async def test_an_unknown_service_is_404(api, method):
    body = {"json": {"name": "X"}} if method == "patch" else {}

    answer = await api.request(method, f"{URL}/{uuid4()}", **body)

    assert answer.status_code == 404
    assert answer.json()["code"] == "service_not_found"


async def test_an_unknown_team_is_404(api):
    answer = await api.post(URL, json={"team_id": str(uuid4()), "name": "Disks"})

    assert answer.status_code == 404
    assert answer.json()["code"] == "team_not_found"


async def test_a_change_leaves_out_what_was_not_sent(api, team, clock):
    made = (
        await api.post(URL, json=service(team, grouping="labels", grouping_labels=["job"]))
    ).json()
    clock.advance(hours=1)

    answer = await api.patch(f"{URL}/{made['id']}", json={"page_from": "critical"})

    assert answer.status_code == 200
    assert answer.json() == made | {
        "page_from": "critical",
        "updated_at": "2026-11-02T13:00:00Z",
    }


async def test_a_service_that_stops_to_group_by_labels_forgets_them(api, team):
    made = (
        await api.post(URL, json=service(team, grouping="labels", grouping_labels=["job"]))
    ).json()

    answer = await api.patch(f"{URL}/{made['id']}", json={"grouping": "group"})

    assert answer.json()["grouping_labels"] == []


@pytest.mark.parametrize(
    "change", [{"grouping": "labels"}, {"grouping_labels": ["job"]}, {"grouping_labels": None}]
)
async def test_a_change_of_grouping_must_fit_together(api, team, change):
    made = (await api.post(URL, json=service(team))).json()

    answer = await api.patch(f"{URL}/{made['id']}", json=change)

    assert answer.status_code == 422


async def test_null_gives_a_service_back_to_the_teams_default(api, transactions, team):
    async with transactions.open() as tx:
        policy = await factories.make_policy(tx, team)
    wish = service(team, escalation_policy_id=str(policy.id))
    made = (await api.post(URL, json=wish)).json()

    answer = await api.patch(f"{URL}/{made['id']}", json={"escalation_policy_id": None})

    assert answer.json()["escalation_policy_id"] is None


async def test_a_service_stays_with_its_team(api, transactions, team):
    async with transactions.open() as tx:
        other = await factories.make_team(tx)
    made = (await api.post(URL, json=service(team))).json()

    answer = await api.patch(f"{URL}/{made['id']}", json={"team_id": str(other.id)})

    assert answer.status_code == 422


async def test_a_deleted_service_is_gone(api, team):
    made = (await api.post(URL, json=service(team))).json()

    answer = await api.delete(f"{URL}/{made['id']}")

    assert answer.status_code == 204
    assert (await api.get(f"{URL}/{made['id']}")).status_code == 404


@pytest.mark.parametrize(
    ("make", "word"),
    [(factories.make_integration, "Integrations"), (factories.make_incident, "incidents")],
)
async def test_a_service_that_is_needed_stays(api, transactions, team, make, word):
    async with transactions.open() as tx:
        needed = await factories.make_service(tx, team)
        await make(tx, needed)

    answer = await api.delete(f"{URL}/{needed.id}")

    assert answer.status_code == 409
    assert answer.json()["code"] == "still_referenced"
    assert word in answer.json()["detail"]


async def test_changes_need_the_scope_manage(api, transactions, team):
    reader = await key_with(transactions, scopes=["read", "respond"])
    one = f"{URL}/{(await api.post(URL, json=service(team))).json()['id']}"

    answers = [
        await api.post(URL, headers=reader, json=service(team)),
        await api.patch(one, headers=reader, json={"name": "X"}),
        await api.delete(one, headers=reader),
    ]

    assert [answer.status_code for answer in answers] == [403] * 3


async def test_another_teams_services_do_not_exist(api, transactions, team):
    async with transactions.open() as tx:
        ours = await factories.make_team(tx)
    one = f"{URL}/{(await api.post(URL, json=service(team))).json()['id']}"
    headers = await limited_to(transactions, ours)

    answers = [
        await api.get(one, headers=headers),
        await api.patch(one, headers=headers, json={"name": "X"}),
        await api.delete(one, headers=headers),
        await api.post(URL, headers=headers, json=service(team, name="Y")),
    ]

    assert [answer.status_code for answer in answers] == [404] * 4
    assert (await api.get(URL, headers=headers)).json()["items"] == []
