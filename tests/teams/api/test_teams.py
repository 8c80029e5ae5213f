from uuid import uuid4

import pytest
from tests import factories
from tests.credentials import key_with, limited_to

from incident_service.teams.models import Role


async def test_a_team_is_made(api):
    answer = await api.post("/v1/teams", json={"name": " Storage ", "external_id": "t-1"})

    assert answer.status_code == 201
    assert answer.json() == {
        "id": answer.json()["id"],
        "name": "Storage",
        "external_id": "t-1",
        "created_at": "2026-11-02T12:00:00Z",
        "updated_at": "2026-11-02T12:00:00Z",
    }


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/name"),
        ({"name": "  "}, "/name"),
        ({"name": "a\x00b"}, "/name"),
        ({"name": "x" * 201}, "/name"),
        ({"name": "Storage", "external_id": ""}, "/external_id"),
        ({"name": "Storage", "nmae": "x"}, "/nmae"),
    ],
)
async def test_a_team_that_is_wrong_is_refused(api, body, pointer):
    answer = await api.post("/v1/teams", json=body)

    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid"
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize(
    ("other", "code"),
    [
        ({"name": "STORAGE"}, "teams_name"),
        ({"name": "Other", "external_id": "t-1"}, "teams_external_id"),
    ],
)
async def test_two_teams_with_one_name_or_external_id_are_a_conflict(api, other, code):
    await api.post("/v1/teams", json={"name": "Storage", "external_id": "t-1"})

    answer = await api.post("/v1/teams", json=other)

    assert answer.status_code == 409
    assert answer.json()["code"] == code


async def test_a_team_is_shown(api):
    made = (await api.post("/v1/teams", json={"name": "Storage"})).json()

    answer = await api.get(f"/v1/teams/{made['id']}")

    assert answer.status_code == 200
    assert answer.json() == made


@pytest.mark.parametrize("method", ["get", "patch", "delete"])
async def test_an_unknown_team_is_404(api, method):
    body = {"json": {"name": "X"}} if method == "patch" else {}

    answer = await api.request(method, f"/v1/teams/{uuid4()}", **body)

    assert answer.status_code == 404
    assert answer.json()["code"] == "team_not_found"


async def test_teams_are_listed_a_page_at_a_time(api):
    for name in ("A", "B", "C"):
        await api.post("/v1/teams", json={"name": name})

    first = (await api.get("/v1/teams", params={"limit": 2})).json()
    second = (await api.get("/v1/teams", params={"cursor": first["next_cursor"]})).json()

    assert [item["name"] for item in first["items"]] == ["A", "B"]
    assert [item["name"] for item in second["items"]] == ["C"]
    assert second["next_cursor"] is None


async def test_a_change_leaves_out_what_was_not_sent(api, clock):
    made = (await api.post("/v1/teams", json={"name": "Storage", "external_id": "t-1"})).json()
    clock.advance(hours=1)

    answer = await api.patch(f"/v1/teams/{made['id']}", json={"name": "Disks"})

    assert answer.status_code == 200
    assert answer.json() == made | {"name": "Disks", "updated_at": "2026-11-02T13:00:00Z"}


async def test_null_clears_the_external_id_but_not_the_name(api):
    made = (await api.post("/v1/teams", json={"name": "Storage", "external_id": "t-1"})).json()

    cleared = await api.patch(f"/v1/teams/{made['id']}", json={"external_id": None})
    refused = await api.patch(f"/v1/teams/{made['id']}", json={"name": None})

    assert cleared.json()["external_id"] is None
    assert refused.status_code == 422


async def test_a_deleted_team_is_gone_with_its_memberships(api, transactions):
    async with transactions.open() as tx:
        team = await factories.make_team(tx)
        await factories.make_user(tx, team=team)

    answer = await api.delete(f"/v1/teams/{team.id}")

    assert answer.status_code == 204
    assert (await api.get(f"/v1/teams/{team.id}")).status_code == 404


@pytest.mark.parametrize(
    ("make", "word"),
    [(factories.make_service, "services"), (factories.make_policy, "escalation policies")],
)
async def test_a_team_that_owns_something_stays(api, transactions, make, word):
    async with transactions.open() as tx:
        team = await factories.make_team(tx)
        await make(tx, team)

    answer = await api.delete(f"/v1/teams/{team.id}")

    assert answer.status_code == 409
    assert answer.json()["code"] == "still_referenced"
    assert word in answer.json()["detail"]


async def test_a_team_with_incidents_of_another_teams_service_stays(api, transactions):
    async with transactions.open() as tx:
        owner, other = await factories.make_team(tx), await factories.make_team(tx)
        service = await factories.make_service(tx, owner)
        await factories.make_incident(tx, service, team_id=other.id)

    answer = await api.delete(f"/v1/teams/{other.id}")

    assert answer.status_code == 409
    assert "incidents" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path"), [("post", ""), ("patch", "/{id}"), ("delete", "/{id}")]
)
async def test_changes_need_the_scope_manage(api, transactions, method, path):
    reader = await key_with(transactions, scopes=["read", "respond"])
    made = (await api.post("/v1/teams", json={"name": "Storage"})).json()
    body = {} if method == "delete" else {"json": {"name": "Other"}}

    answer = await api.request(
        method, "/v1/teams" + path.format(id=made["id"]), headers=reader, **body
    )

    assert answer.status_code == 403
    assert answer.json()["code"] == "scope_missing"


async def test_a_limited_key_sees_its_own_teams_only(api, transactions):
    async with transactions.open() as tx:
        ours, theirs = await factories.make_team(tx), await factories.make_team(tx)
    headers = await limited_to(transactions, ours)

    listed = await api.get("/v1/teams", headers=headers)
    shown = await api.get(f"/v1/teams/{theirs.id}", headers=headers)
    changed = await api.patch(f"/v1/teams/{theirs.id}", headers=headers, json={"name": "X"})
    members = await api.get(f"/v1/teams/{theirs.id}/members", headers=headers)

    assert [item["id"] for item in listed.json()["items"]] == [str(ours.id)]
    assert [shown.status_code, changed.status_code, members.status_code] == [404, 404, 404]


async def test_a_limited_key_renames_its_team_but_makes_and_deletes_none(api, transactions):
    async with transactions.open() as tx:
        ours = await factories.make_team(tx)
    headers = await limited_to(transactions, ours)

    renamed = await api.patch(f"/v1/teams/{ours.id}", headers=headers, json={"name": "X"})
    made = await api.post("/v1/teams", headers=headers, json={"name": "Y"})
    deleted = await api.delete(f"/v1/teams/{ours.id}", headers=headers)

    assert [renamed.status_code, made.status_code, deleted.status_code] == [200, 403, 403]
    assert made.json()["code"] == deleted.json()["code"] == "key_limited"


async def test_a_member_is_taken_in_and_listed(api, transactions):
    async with transactions.open() as tx:
        team, user = await factories.make_team(tx), await factories.make_user(tx)
    path = f"/v1/teams/{team.id}/members"

    answer = await api.put(f"{path}/{user.id}", json={"role": "manager"})

    assert answer.status_code == 200
    assert answer.json() == {
        "team_id": str(team.id),
        "user_id": str(user.id),
        "role": "manager",
        "created_at": "2026-11-02T12:00:00Z",
    }
    assert (await api.get(path)).json() == {"items": [answer.json()], "next_cursor": None}


async def test_a_members_role_changes(api, transactions, clock):
    async with transactions.open() as tx:
        team = await factories.make_team(tx)
        user = await factories.make_user(tx, team=team, role=Role.RESPONDER)
    clock.advance(hours=1)

    answer = await api.put(f"/v1/teams/{team.id}/members/{user.id}", json={"role": "observer"})

    assert answer.json()["role"] == "observer"
    assert answer.json()["created_at"] == "2026-11-02T12:00:00Z"


async def test_members_are_listed_a_page_at_a_time(api, transactions):
    async with transactions.open() as tx:
        team = await factories.make_team(tx)
        users = [await factories.make_user(tx, team=team) for _ in range(3)]
    path = f"/v1/teams/{team.id}/members"

    first = (await api.get(path, params={"limit": 2})).json()
    second = (await api.get(path, params={"cursor": first["next_cursor"]})).json()

    shown = [item["user_id"] for item in first["items"] + second["items"]]
    assert shown == [str(user.id) for user in users]


async def test_a_member_leaves(api, transactions):
    async with transactions.open() as tx:
        team = await factories.make_team(tx)
        user = await factories.make_user(tx, team=team)
    path = f"/v1/teams/{team.id}/members/{user.id}"

    first, second = await api.delete(path), await api.delete(path)

    assert first.status_code == 204
    assert second.status_code == 404
    assert second.json()["code"] == "membership_not_found"


async def test_an_unknown_user_cannot_join(api, transactions):
    async with transactions.open() as tx:
        team = await factories.make_team(tx)

    answer = await api.put(f"/v1/teams/{team.id}/members/{uuid4()}", json={"role": "manager"})

    assert answer.status_code == 404
    assert answer.json()["code"] == "user_not_found"


async def test_an_unknown_role_is_refused(api, transactions):
    async with transactions.open() as tx:
        team, user = await factories.make_team(tx), await factories.make_user(tx)

    answer = await api.put(f"/v1/teams/{team.id}/members/{user.id}", json={"role": "boss"})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/role"


@pytest.mark.parametrize("method", ["put", "delete"])
async def test_a_limited_key_changes_no_other_teams_members(api, transactions, method):
    async with transactions.open() as tx:
        ours, theirs = await factories.make_team(tx), await factories.make_team(tx)
        user = await factories.make_user(tx, team=theirs)
    headers = await limited_to(transactions, ours)
    body = {"json": {"role": "manager"}} if method == "put" else {}

    answer = await api.request(
        method, f"/v1/teams/{theirs.id}/members/{user.id}", headers=headers, **body
    )

    assert answer.status_code == 404
    assert answer.json()["code"] == "team_not_found"
