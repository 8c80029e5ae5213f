from uuid import uuid4

import httpx
import pytest
from sqlalchemy import select
from tests import factories
from tests.credentials import key_with, limited_to

from incident_service.core import tokens
from incident_service.teams.bootstrap import ensure_bootstrap_key
from incident_service.teams.models import ApiKey

CI = {"name": "ci", "scopes": ["read", "manage"]}


def bearer(answer: httpx.Response) -> dict[str, str]:
    return {"Authorization": f"Bearer {answer.json()['key']}"}


async def test_a_key_is_made_and_works(api):
    answer = await api.post("/v1/api-keys", json=CI)

    assert answer.status_code == 201
    assert (await api.get("/v1/teams", headers=bearer(answer))).status_code == 200
    assert (await api.get("/v1/api-keys", headers=bearer(answer))).status_code == 403


async def test_the_answer_describes_the_key(api, transactions):
    async with transactions.open() as tx:
        team, user = await factories.make_team(tx), await factories.make_user(tx)
    limits = {"team_ids": [str(team.id)], "user_id": str(user.id)}

    answer = await api.post(
        "/v1/api-keys", json=CI | limits | {"expires_at": "2026-12-24T18:00:00+02:00"}
    )

    assert answer.json() == limits | {
        "id": answer.json()["id"],
        "name": "ci",
        "key": answer.json()["key"],
        "hint": answer.json()["key"][: tokens.HINT_LENGTH],
        "scopes": ["read", "manage"],
        "is_bootstrap": False,
        "expires_at": "2026-12-24T16:00:00Z",
        "revoked_at": None,
        "created_at": "2026-11-02T12:00:00Z",
        "updated_at": "2026-11-02T12:00:00Z",
    }


async def test_neither_the_key_nor_its_hash_is_shown_again(api):
    made = (await api.post("/v1/api-keys", json=CI)).json()
    one = f"/v1/api-keys/{made['id']}"

    answers = [
        await api.get("/v1/api-keys"),
        await api.get(one),
        await api.patch(one, json={"name": "other"}),
        await api.post(f"{one}/revoke"),
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 200]
    for answer in answers:
        assert made["key"] not in answer.text
        assert tokens.digest(made["key"]) not in answer.text


async def test_the_key_is_not_stored(api, transactions):
    made = (await api.post("/v1/api-keys", json=CI)).json()

    async with transactions.open() as tx:
        rows = await tx.session.scalars(select(ApiKey).where(ApiKey.name == "ci"))
    assert made["key"] not in str(vars(rows.one()))


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"scopes": []}, "/scopes"),
        ({"scopes": ["root"]}, "/scopes/0"),
        ({"team_ids": []}, "/team_ids"),
        ({"team_ids": [str(uuid4())]}, "/team_ids/0"),
        ({"user_id": str(uuid4())}, "/user_id"),
        ({"expires_at": "2026-11-02T12:00:00Z"}, "/expires_at"),
        ({"expires_at": "2027-01-01T00:00:00"}, "/expires_at"),
        ({"expires_at": "9999-12-31T23:59:59-10:00"}, "/expires_at"),
        ({"is_bootstrap": True}, "/is_bootstrap"),
    ],
)
async def test_a_key_that_is_wrong_is_refused(api, wrong, pointer):
    answer = await api.post("/v1/api-keys", json=CI | wrong)

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_nobody_inactive_acts_through_a_key(api, transactions):
    async with transactions.open() as tx:
        user = await factories.make_user(tx, is_active=False)

    answer = await api.post("/v1/api-keys", json=CI | {"user_id": str(user.id)})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/user_id"


async def test_a_scope_given_twice_counts_once(api):
    answer = await api.post("/v1/api-keys", json=CI | {"scopes": ["read", "read"]})

    assert answer.json()["scopes"] == ["read"]


async def test_keys_are_shown_and_listed(api):
    made = (await api.post("/v1/api-keys", json=CI)).json()
    del made["key"]

    shown = await api.get(f"/v1/api-keys/{made['id']}")
    listed = await api.get("/v1/api-keys")

    assert shown.json() == made
    assert listed.json()["items"][-1] == made


@pytest.mark.parametrize(
    ("method", "path"), [("get", ""), ("patch", ""), ("delete", ""), ("post", "/revoke")]
)
async def test_an_unknown_key_is_404(api, method, path):
    body = {"json": {"name": "x"}} if method == "patch" else {}

    answer = await api.request(method, f"/v1/api-keys/{uuid4()}{path}", **body)

    assert answer.status_code == 404
    assert answer.json()["code"] == "api_key_not_found"


async def test_the_name_and_the_expiry_change(api):
    made = (await api.post("/v1/api-keys", json=CI | {"expires_at": "2027-01-01T00:00:00Z"})).json()
    del made["key"]

    answer = await api.patch(
        f"/v1/api-keys/{made['id']}", json={"name": "deploy", "expires_at": None}
    )

    assert answer.json() == made | {"name": "deploy", "expires_at": None}


@pytest.mark.parametrize(
    "change", [{"scopes": ["admin"]}, {"name": None}, {"expires_at": "2020-01-01T00:00:00Z"}]
)
async def test_what_a_key_may_do_stays(api, change):
    made = (await api.post("/v1/api-keys", json=CI)).json()

    answer = await api.patch(f"/v1/api-keys/{made['id']}", json=change)

    assert answer.status_code == 422


async def test_a_revoked_key_is_refused_from_then_on(api, clock):
    made = await api.post("/v1/api-keys", json=CI)
    revoke = f"/v1/api-keys/{made.json()['id']}/revoke"

    first = await api.post(revoke)
    clock.advance(hours=1)
    second = await api.post(revoke)

    assert [first.status_code, second.status_code] == [200, 200]
    assert first.json()["revoked_at"] == second.json()["revoked_at"] == "2026-11-02T12:00:00Z"
    assert (await api.get("/v1/teams", headers=bearer(made))).status_code == 401


async def test_a_deleted_key_is_refused_and_forgotten(api):
    made = await api.post("/v1/api-keys", json=CI)

    answer = await api.delete(f"/v1/api-keys/{made.json()['id']}")

    assert answer.status_code == 204
    assert (await api.get("/v1/teams", headers=bearer(made))).status_code == 401
    assert (await api.get(f"/v1/api-keys/{made.json()['id']}")).status_code == 404


async def test_the_bootstrap_key_can_only_be_revoked(api, transactions):
    async with transactions.open() as tx:
        await ensure_bootstrap_key(tx, "a-key-chosen-by-the-operator")
    listed = (await api.get("/v1/api-keys")).json()["items"]
    one = next(f"/v1/api-keys/{item['id']}" for item in listed if item["is_bootstrap"])

    deleted, revoked = await api.delete(one), await api.post(f"{one}/revoke")

    assert deleted.status_code == 409
    assert deleted.json()["code"] == "bootstrap_key_stays"
    assert revoked.status_code == 200


async def test_keys_need_the_scope_admin(api, transactions):
    manager = await key_with(transactions, scopes=["read", "respond", "manage"])
    one = f"/v1/api-keys/{(await api.post('/v1/api-keys', json=CI)).json()['id']}"

    answers = [
        await api.get("/v1/api-keys", headers=manager),
        await api.post("/v1/api-keys", headers=manager, json=CI),
        await api.get(one, headers=manager),
        await api.patch(one, headers=manager, json={"name": "x"}),
        await api.post(f"{one}/revoke", headers=manager),
        await api.delete(one, headers=manager),
    ]

    assert [answer.status_code for answer in answers] == [403] * 6


@pytest.fixture
async def teams(transactions):
    async with transactions.open() as tx:
        return await factories.make_team(tx), await factories.make_team(tx)


async def test_a_limited_admin_makes_keys_for_its_teams_only(api, transactions, teams):
    ours, theirs = teams
    admin = await limited_to(transactions, ours, scopes=("admin",))
    wishes = [[str(ours.id)], [str(theirs.id)], [str(ours.id), str(theirs.id)], None]

    answers = [
        await api.post("/v1/api-keys", headers=admin, json=CI | {"team_ids": wish})
        for wish in wishes
    ]

    assert [answer.status_code for answer in answers] == [201, 422, 422, 403]


async def test_a_limited_admin_sees_no_key_that_reaches_further(api, transactions, teams):
    ours, theirs = teams
    for team_ids in ([ours.id], [theirs.id], [ours.id, theirs.id]):
        body = CI | {"team_ids": list(map(str, team_ids))}
        await api.post("/v1/api-keys", json=body)
    admin = await limited_to(transactions, ours, scopes=("admin",))

    listed = (await api.get("/v1/api-keys", headers=admin)).json()["items"]

    assert {tuple(item["team_ids"]) for item in listed} == {(str(ours.id),)}


async def test_a_limited_admin_revokes_no_unlimited_key(api, transactions, teams):
    made = (await api.post("/v1/api-keys", json=CI)).json()
    admin = await limited_to(transactions, teams[0], scopes=("admin",))

    answer = await api.post(f"/v1/api-keys/{made['id']}/revoke", headers=admin)

    assert answer.status_code == 404


async def test_a_limited_admin_makes_no_key_in_the_name_of_a_stranger(api, transactions, teams):
    ours, theirs = teams
    async with transactions.open() as tx:
        colleague = await factories.make_user(tx, team=ours)
        stranger = await factories.make_user(tx, team=theirs)
    admin = await limited_to(transactions, ours, scopes=("admin",))

    answers = [
        await api.post(
            "/v1/api-keys",
            headers=admin,
            json=CI | {"team_ids": [str(ours.id)], "user_id": str(person.id)},
        )
        for person in (colleague, stranger)
    ]

    assert [answer.status_code for answer in answers] == [201, 403]


async def test_a_key_that_expires_at_the_end_of_time_is_refused_in_words(api):
    answer = await api.post("/v1/api-keys", json=CI | {"expires_at": "9999-12-31T23:59:59.999999Z"})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/expires_at"
