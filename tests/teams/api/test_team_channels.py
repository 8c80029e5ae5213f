import pytest
from tests import factories

SLACK = "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXX"


@pytest.fixture
async def team(transactions):
    async with transactions.open() as tx:
        return await factories.make_team(tx)


@pytest.fixture
def path(team):
    return f"/v1/teams/{team.id}/channels"


async def test_a_channel_is_made_and_its_address_is_masked(api, team, path):
    answer = await api.post(
        path, json={"name": "#payments", "kind": "slack", "address": SLACK, "bundle": False}
    )

    assert answer.status_code == 201
    assert answer.json() == {
        "id": answer.json()["id"],
        "team_id": str(team.id),
        "name": "#payments",
        "kind": "slack",
        "address": "https://hooks.slack.com/…XXXX",
        "bundle": False,
        "is_enabled": True,
        "signing_secret": None,
        "created_at": "2026-11-02T12:00:00Z",
        "updated_at": "2026-11-02T12:00:00Z",
    }
    shown = {name: value for name, value in answer.json().items() if name != "signing_secret"}
    assert (await api.get(path)).json()["items"] == [shown]
    assert (await api.get(f"{path}/{shown['id']}")).json() == shown


async def test_a_webhook_gets_a_secret_that_can_be_rotated(api, path):
    body = {"name": "bridge", "kind": "webhook", "address": "https://chat.example/hook"}
    made = (await api.post(path, json=body)).json()

    rotated = await api.post(f"{path}/{made['id']}/rotate-secret")

    assert made["signing_secret"].startswith("whsec_")
    assert rotated.json()["signing_secret"].startswith("whsec_")
    assert rotated.json()["signing_secret"] != made["signing_secret"]


async def test_only_webhooks_have_a_secret(api, path):
    made = (await api.post(path, json={"name": "s", "kind": "slack", "address": SLACK})).json()

    assert (await api.post(f"{path}/{made['id']}/rotate-secret")).status_code == 409


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": "x", "kind": "sms", "address": "+15558675310"}, "/kind"),
        ({"name": "x", "kind": "email", "address": "a@example.org"}, "/kind"),
        ({"name": "x", "kind": "slack", "address": "#payments"}, "/address"),
        ({"name": "", "kind": "slack", "address": SLACK}, "/name"),
        ({"kind": "slack", "address": SLACK}, "/name"),
    ],
)
async def test_what_cannot_be_a_channel_is_pointed_at(api, path, body, pointer):
    answer = await api.post(path, json=body)

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_a_name_is_used_once_in_a_team(api, transactions, path):
    async with transactions.open() as tx:
        other = await factories.make_team(tx)
    body = {"name": "#payments", "kind": "slack", "address": SLACK}
    await api.post(path, json=body)

    again = await api.post(path, json=body | {"name": "#Payments"})
    elsewhere = await api.post(f"/v1/teams/{other.id}/channels", json=body)

    assert again.status_code == 409
    assert again.json()["detail"] == "The team has another channel of this name."
    assert elsewhere.status_code == 201


async def test_a_channel_is_changed(api, path):
    made = (await api.post(path, json={"name": "s", "kind": "slack", "address": SLACK})).json()
    url = f"{path}/{made['id']}"

    changed = await api.patch(url, json={"name": "#db", "is_enabled": False})
    refused = await api.patch(url, json={"address": "nowhere"})

    assert (changed.json()["name"], changed.json()["is_enabled"]) == ("#db", False)
    assert refused.status_code == 422


async def test_another_teams_channel_does_not_exist_here(api, transactions, path):
    async with transactions.open() as tx:
        other = await factories.make_team_channel(tx, await factories.make_team(tx))

    answers = [
        await api.get(f"{path}/{other.id}"),
        await api.patch(f"{path}/{other.id}", json={"name": "x"}),
        await api.delete(f"{path}/{other.id}"),
        await api.post(f"{path}/{other.id}/test"),
    ]

    assert [answer.status_code for answer in answers] == [404] * 4


async def test_a_channel_that_a_policy_names_stays(api, transactions, team, path):
    async with transactions.open() as tx:
        channel = await factories.make_team_channel(tx, team)
        user = await factories.make_user(tx, team=team)
    target = {"target_type": "team_channel", "target_id": str(channel.id)}
    level = {"target_type": "user", "target_id": str(user.id), "additional_targets": [target]}
    body = {"team_id": str(team.id), "name": "Primary", "levels": [level]}
    policy = (await api.post("/v1/escalation-policies", json=body)).json()

    refused = await api.delete(f"{path}/{channel.id}")
    await api.delete(f"/v1/escalation-policies/{policy['id']}")
    deleted = await api.delete(f"{path}/{channel.id}")

    assert refused.status_code == 409
    assert refused.json()["detail"] == "Escalation policies page this channel: Primary."
    assert deleted.status_code == 204


async def test_a_team_with_channels_stays(api, transactions, team):
    async with transactions.open() as tx:
        await factories.make_team_channel(tx, team)

    answer = await api.delete(f"/v1/teams/{team.id}")

    assert answer.status_code == 409
    assert answer.json()["detail"] == "The team still owns channels, or the record of deleted ones."
