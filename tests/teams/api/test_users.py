from uuid import uuid4

import pytest
from sqlalchemy import update
from tests import factories
from tests.credentials import key_with, limited_to

from incident_service.policies.models import EscalationLevel
from incident_service.teams.models import User

ANA = {"name": "Ana", "email": "Ana@Example.org"}


async def test_a_user_is_made_with_the_mail_address_as_given(api):
    answer = await api.post("/v1/users", json=ANA)

    assert answer.status_code == 201
    assert answer.json() == {
        "id": answer.json()["id"],
        "name": "Ana",
        "email": "Ana@Example.org",
        "time_zone": "UTC",
        "is_active": True,
        "external_id": None,
        "created_at": "2026-11-02T12:00:00Z",
        "updated_at": "2026-11-02T12:00:00Z",
    }


@pytest.mark.parametrize("time_zone", ["Europe/Berlin", "Asia/Kathmandu", "Etc/GMT+3"])
async def test_an_iana_time_zone_is_accepted(api, time_zone):
    answer = await api.post("/v1/users", json=ANA | {"time_zone": time_zone})

    assert answer.json()["time_zone"] == time_zone


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"time_zone": "Mars/Olympus"}, "/time_zone"),
        ({"time_zone": "Europe"}, "/time_zone"),
        ({"time_zone": "../../etc/passwd"}, "/time_zone"),
        ({"time_zone": "localtime"}, "/time_zone"),
        ({"time_zone": ""}, "/time_zone"),
        ({"email": "ana"}, "/email"),
        ({"email": "a b@example.org"}, "/email"),
        ({"email": "a@b@example.org"}, "/email"),
        ({"email": "a" * 250 + "@b.org"}, "/email"),
        ({"name": ""}, "/name"),
        ({"is_active": False}, "/is_active"),
    ],
)
async def test_a_user_that_is_wrong_is_refused(api, wrong, pointer):
    answer = await api.post("/v1/users", json=ANA | wrong)

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize(
    ("other", "code"),
    [
        ({"email": "ana@example.ORG"}, "users_email"),
        ({"email": "b@example.org", "external_id": "u-1"}, "users_external_id"),
    ],
)
async def test_two_users_with_one_address_or_external_id_are_a_conflict(api, other, code):
    await api.post("/v1/users", json=ANA | {"external_id": "u-1"})

    answer = await api.post("/v1/users", json={"name": "Other"} | other)

    assert answer.status_code == 409
    assert answer.json()["code"] == code


async def test_users_are_shown_and_listed(api):
    made = (await api.post("/v1/users", json=ANA)).json()

    shown = await api.get(f"/v1/users/{made['id']}")
    listed = await api.get("/v1/users")

    assert shown.json() == made
    assert listed.json() == {"items": [made], "next_cursor": None}


@pytest.mark.parametrize("method", ["get", "patch", "delete"])
async def test_an_unknown_user_is_404(api, method):
    body = {"json": {"name": "X"}} if method == "patch" else {}

    answer = await api.request(method, f"/v1/users/{uuid4()}", **body)

    assert answer.status_code == 404
    assert answer.json()["code"] == "user_not_found"


async def test_a_user_changes(api):
    made = (await api.post("/v1/users", json=ANA | {"external_id": "u-1"})).json()
    changes = {"time_zone": "Asia/Tokyo", "is_active": False, "external_id": None}

    answer = await api.patch(f"/v1/users/{made['id']}", json=changes)

    assert answer.status_code == 200
    assert answer.json() == made | changes


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [({"email": "x"}, "/email"), ({"time_zone": "x"}, "/time_zone"), ({"email": None}, "/email")],
)
async def test_a_change_is_checked_like_a_new_user(api, changes, pointer):
    made = (await api.post("/v1/users", json=ANA)).json()

    answer = await api.patch(f"/v1/users/{made['id']}", json=changes)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_a_deleted_user_is_gone_with_memberships_and_contact_methods(api, transactions):
    async with transactions.open() as tx:
        team = await factories.make_team(tx)
        user = await factories.make_user(tx, team=team)

    answer = await api.delete(f"/v1/users/{user.id}")

    assert answer.status_code == 204
    assert (await api.get(f"/v1/users/{user.id}")).status_code == 404
    assert (await api.get(f"/v1/teams/{team.id}/members")).json()["items"] == []


async def test_a_user_whom_policies_page_stays(api, transactions):
    async with transactions.open() as tx:
        team, user = await factories.make_team(tx), await factories.make_user(tx)
        await factories.make_policy(tx, team, [user, user], name="Nights")
        await factories.make_policy(tx, team, [user], name="Days")

    answer = await api.delete(f"/v1/users/{user.id}")

    assert answer.status_code == 409
    assert answer.json()["code"] == "still_referenced"
    assert answer.json()["detail"] == "Escalation policies page this user: Days, Nights."


async def test_a_user_who_is_an_additional_target_stays(api, transactions):
    async with transactions.open() as tx:
        team, user = await factories.make_team(tx), await factories.make_user(tx)
        await factories.make_policy(tx, team, [None], name="Nights")
        target = {"target_type": "user", "target_id": str(user.id)}
        await tx.session.execute(update(EscalationLevel).values(additional_targets=[target]))

    answer = await api.delete(f"/v1/users/{user.id}")

    assert answer.status_code == 409
    assert "Nights" in answer.json()["detail"]


async def test_many_policies_are_named_in_part(api, transactions):
    async with transactions.open() as tx:
        team, user = await factories.make_team(tx), await factories.make_user(tx)
        for number in range(7):
            await factories.make_policy(tx, team, [user], name=f"Policy {number}")

    answer = await api.delete(f"/v1/users/{user.id}")

    assert "Policy 4 and 2 more." in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path"), [("post", ""), ("patch", "/{id}"), ("delete", "/{id}")]
)
async def test_changes_need_the_scope_manage(api, transactions, method, path):
    reader = await key_with(transactions, scopes=["read", "respond"])
    made = (await api.post("/v1/users", json=ANA)).json()
    body = {} if method == "delete" else {"json": {"name": "B", "email": "b@example.org"}}

    answer = await api.request(
        method, "/v1/users" + path.format(id=made["id"]), headers=reader, **body
    )

    assert answer.status_code == 403


async def test_a_limited_key_reads_every_user(api, transactions):
    async with transactions.open() as tx:
        ours, user = await factories.make_team(tx), await factories.make_user(tx)
    headers = await limited_to(transactions, ours)

    listed = await api.get("/v1/users", headers=headers)
    shown = await api.get(f"/v1/users/{user.id}", headers=headers)

    assert [item["id"] for item in listed.json()["items"]] == [str(user.id)]
    assert shown.status_code == 200


async def test_a_limited_key_changes_the_people_of_its_teams_alone(api, transactions):
    async with transactions.open() as tx:
        ours, theirs = await factories.make_team(tx), await factories.make_team(tx)
        own = await factories.make_user(tx, team=ours)
        shared = await factories.make_user(tx, team=ours)
        await factories.make_membership(tx, theirs, shared)
        stranger = await factories.make_user(tx)
    headers = await limited_to(transactions, ours)

    statuses = [
        (await api.patch(f"/v1/users/{user.id}", headers=headers, json={"name": "X"})).status_code
        for user in (own, shared, stranger)
    ]

    assert statuses == [200, 403, 403]


async def test_a_limited_key_neither_makes_nor_deletes_people(api, transactions):
    async with transactions.open() as tx:
        ours = await factories.make_team(tx)
        own = await factories.make_user(tx, team=ours)
    headers = await limited_to(transactions, ours)

    made = await api.post("/v1/users", headers=headers, json=ANA)
    deleted = await api.delete(f"/v1/users/{own.id}", headers=headers)

    assert [made.status_code, deleted.status_code] == [403, 403]
    assert made.json()["code"] == deleted.json()["code"] == "key_limited"


async def test_a_key_that_acts_for_a_person_may_change_that_person(api, transactions):
    async with transactions.open() as tx:
        user = await factories.make_user(tx)
    headers = await key_with(transactions, scopes=["manage"], user_id=user.id)

    answer = await api.patch(f"/v1/users/{user.id}", headers=headers, json={"name": "New"})

    async with transactions.open() as tx:
        assert (await tx.session.get_one(User, user.id)).name == "New"
    assert answer.status_code == 200


async def test_40_somebody_who_is_still_paged_is_not_made_inactive_by_accident(api, stage):
    url = f"/v1/users/{stage.first.id}"
    schedule = {
        "team_id": str(stage.team.id),
        "name": "Nights",
        "time_zone": "UTC",
        "layers": [{"name": "Weekly", "participants": [str(stage.first.id)]}],
    }
    await api.post("/v1/schedules", json=schedule)

    refused = await api.patch(url, json={"is_active": False})
    forced = await api.patch(url, json={"is_active": False}, params={"force": "true"})

    assert (refused.status_code, refused.json()["code"]) == (409, "still_paged")
    assert stage.policy.name in refused.json()["detail"]
    assert "Nights" in refused.json()["detail"]
    assert forced.json()["is_active"] is False


async def test_40_a_level_of_somebody_inactive_is_passed_over(api, stage):
    await api.patch(
        f"/v1/users/{stage.first.id}", json={"is_active": False}, params={"force": "true"}
    )

    await stage.fire("Disk")

    assert await stage.told(await stage.incident()) == ["Second"]


async def test_39_a_page_that_waits_for_somebody_made_inactive_is_not_sent(
    api, stage, transactions
):
    await stage.fire("Disk")
    await api.patch(
        f"/v1/users/{stage.first.id}", json={"is_active": False}, params={"force": "true"}
    )

    await stage.reconcile()

    incident = await stage.incident()
    statuses = [row.status.value for row in await stage.notifications(incident)]
    assert await stage.told(incident) == ["First", "Second"]
    assert statuses == ["cancelled", "pending"]


async def test_somebody_whom_nobody_pages_is_made_inactive_at_once(api, stage):
    answer = await api.patch(f"/v1/users/{stage.manager.id}", json={"is_active": False})

    assert answer.json()["is_active"] is False
