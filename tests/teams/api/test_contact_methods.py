import base64
from uuid import uuid4

import pytest
from tests import factories
from tests.credentials import key_with, limited_to

from incident_service.teams.addresses import masked
from incident_service.teams.models import Channel

WEBHOOK = {"kind": "webhook", "address": "https://pager.example/hook"}


@pytest.fixture
async def user(transactions):
    async with transactions.open() as tx:
        return await factories.make_user(tx, address=None)


@pytest.fixture
def path(user):
    return f"/v1/users/{user.id}/contact-methods"


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("email", "ana@example.org"),
        ("ntfy", "ana-pages"),
        ("slack", "https://hooks.slack.com/services/T00000000/B00000000/XXXX"),
        ("telegram", "123456789"),
        ("sms", "+15558675310"),
        ("voice", "+15558675310"),
        ("apprise", "ops"),
    ],
)
async def test_a_contact_method_is_made(api, user, path, kind, address):
    answer = await api.post(path, json={"kind": kind, "address": address})

    assert answer.status_code == 201
    assert answer.json() == {
        "id": answer.json()["id"],
        "user_id": str(user.id),
        "kind": kind,
        "address": masked(Channel(kind), address),
        "bundle": True,
        "is_enabled": True,
        "unverified_since": None,
        "signing_secret": None,
        "created_at": "2026-11-02T12:00:00Z",
        "updated_at": "2026-11-02T12:00:00Z",
    }


async def test_a_webhook_gets_a_signing_secret(api, path):
    answer = await api.post(path, json=WEBHOOK)

    prefix, _, secret = answer.json()["signing_secret"].partition("_")
    assert prefix == "whsec"
    assert 24 <= len(base64.b64decode(secret, validate=True)) <= 64


async def test_the_signing_secret_is_shown_only_when_made(api, path):
    made = (await api.post(path, json=WEBHOOK)).json()
    one = f"{path}/{made['id']}"

    answers = [
        await api.get(path),
        await api.get(one),
        await api.patch(one, json={"bundle": False}),
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert all("whsec" not in answer.text for answer in answers)
    assert all("signing_secret" not in answer.text for answer in answers)


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"kind": "console", "address": "x"}, "/kind", "channel_not_offered"),
        ({"kind": "webhook", "address": "ftp://a/b"}, "/address", "address_not_usable"),
        ({"kind": "webhook", "address": "https://u:p@a/b"}, "/address", "address_not_usable"),
        ({"kind": "email", "address": "nobody"}, "/address", "address_not_usable"),
        ({"kind": "ntfy", "address": "two words"}, "/address", "address_not_usable"),
        ({"kind": "slack", "address": "#on-call"}, "/address", "address_not_usable"),
        ({"kind": "telegram", "address": "Ana"}, "/address", "address_not_usable"),
        ({"kind": "sms", "address": "0151 1234567"}, "/address", "address_not_usable"),
        ({"kind": "apprise", "address": "json://host"}, "/address", "address_not_usable"),
        ({"kind": "pigeon", "address": "x"}, "/kind", "enum"),
        ({"kind": "email"}, "/address", "missing"),
        ({"kind": "email", "address": ""}, "/address", "string_too_short"),
    ],
)
async def test_a_contact_method_that_is_wrong_is_refused(api, path, body, pointer, code):
    answer = await api.post(path, json=body)

    [error] = answer.json()["errors"]
    assert answer.status_code == 422
    assert (error["pointer"], error["code"]) == (pointer, code)


async def test_the_console_is_refused_with_a_reason(api, path):
    answer = await api.post(path, json={"kind": "console", "address": "x"})

    assert "`dev` only" in answer.json()["detail"]


async def test_the_same_address_twice_is_a_conflict(api, path):
    await api.post(path, json=WEBHOOK)

    answer = await api.post(path, json=WEBHOOK)

    assert answer.status_code == 409
    assert answer.json()["code"] == "contact_methods_user_address"


async def test_contact_methods_are_listed_and_shown(api, path):
    made = (await api.post(path, json=WEBHOOK)).json()
    del made["signing_secret"]

    listed = await api.get(path)
    shown = await api.get(f"{path}/{made['id']}")

    assert listed.json() == {"items": [made], "next_cursor": None}
    assert shown.json() == made


async def test_a_contact_method_changes(api, path):
    made = (await api.post(path, json=WEBHOOK)).json()
    del made["signing_secret"]
    changes = {"address": "https://other.example/", "bundle": False, "is_enabled": False}

    answer = await api.patch(f"{path}/{made['id']}", json=changes)

    assert answer.status_code == 200
    assert answer.json() == made | changes | {"address": "https://other.example/…"}


async def test_a_changed_address_must_suit_the_kind(api, path):
    made = (await api.post(path, json=WEBHOOK)).json()

    answer = await api.patch(f"{path}/{made['id']}", json={"address": "ana@example.org"})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/address"


async def test_the_kind_stays(api, path):
    made = (await api.post(path, json=WEBHOOK)).json()

    answer = await api.patch(f"{path}/{made['id']}", json={"kind": "email"})

    assert answer.status_code == 422


async def test_a_rotated_secret_is_another_one(api, path):
    made = (await api.post(path, json=WEBHOOK)).json()

    answer = await api.post(f"{path}/{made['id']}/rotate-secret")

    assert answer.status_code == 200
    assert answer.json()["signing_secret"].startswith("whsec_")
    assert answer.json()["signing_secret"] != made["signing_secret"]


async def test_only_webhooks_have_a_secret_to_rotate(api, path):
    body = {"kind": "email", "address": "ana@example.org"}
    made = (await api.post(path, json=body)).json()

    answer = await api.post(f"{path}/{made['id']}/rotate-secret")

    assert answer.status_code == 409
    assert answer.json()["code"] == "not_signed"


async def test_a_deleted_contact_method_is_gone(api, path):
    made = (await api.post(path, json=WEBHOOK)).json()

    answer = await api.delete(f"{path}/{made['id']}")

    assert answer.status_code == 204
    assert (await api.get(f"{path}/{made['id']}")).status_code == 404


@pytest.mark.parametrize("method", ["get", "patch", "delete"])
async def test_another_users_contact_method_is_404(api, transactions, path, method):
    async with transactions.open() as tx:
        other = await factories.make_contact_method(tx, await factories.make_user(tx))
    body = {"json": {"bundle": False}} if method == "patch" else {}

    answer = await api.request(method, f"{path}/{other.id}", **body)

    assert answer.status_code == 404
    assert answer.json()["code"] == "contact_method_not_found"


@pytest.mark.parametrize("method", ["get", "post"])
async def test_an_unknown_user_is_404(api, method):
    body = {"json": WEBHOOK} if method == "post" else {}

    answer = await api.request(method, f"/v1/users/{uuid4()}/contact-methods", **body)

    assert answer.status_code == 404
    assert answer.json()["code"] == "user_not_found"


async def test_changes_need_the_scope_manage(api, transactions, path):
    reader = await key_with(transactions, scopes=["read", "respond"])
    one = f"{path}/{(await api.post(path, json=WEBHOOK)).json()['id']}"

    answers = [
        await api.post(path, headers=reader, json=WEBHOOK),
        await api.patch(one, headers=reader, json={"bundle": False}),
        await api.post(f"{one}/rotate-secret", headers=reader),
        await api.delete(one, headers=reader),
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 403, 403]


async def test_a_limited_key_cannot_take_a_stranger_in_and_redirect_the_pages(
    api, transactions, user, path
):
    async with transactions.open() as tx:
        ours, theirs = await factories.make_team(tx), await factories.make_team(tx)
        await factories.make_membership(tx, theirs, user)
    headers = await limited_to(transactions, ours)

    joined = await api.put(
        f"/v1/teams/{ours.id}/members/{user.id}", headers=headers, json={"role": "responder"}
    )
    redirected = await api.post(path, headers=headers, json=WEBHOOK)

    assert joined.status_code == 403
    assert redirected.status_code == 403
    assert redirected.json()["code"] == "key_limited"


async def test_a_limited_key_reads_the_addresses_of_its_teams_members_only(
    api, transactions, user, path
):
    async with transactions.open() as tx:
        ours = await factories.make_team(tx)
        own = await factories.make_user(tx, team=ours)
    headers = await limited_to(transactions, ours)

    of_own = await api.get(f"/v1/users/{own.id}/contact-methods", headers=headers)
    of_stranger = await api.get(path, headers=headers)

    assert [of_own.status_code, of_stranger.status_code] == [200, 403]
