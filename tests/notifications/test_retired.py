"""An address that is deleted after it was told of incidents: the record of that stays."""

import pytest
from sqlalchemy import select
from tests import factories
from tests.notifications.arrangements import (
    Scene,
    ScriptedChannel,
    ask,
    make_courier,
    page_about,
    pages,
    set_scene,
)

from incident_service.answering.queries import find_asked
from incident_service.configuration.differences import Kind
from incident_service.configuration.queries import load_present
from incident_service.core.db import Transactions
from incident_service.incidents.models import Incident
from incident_service.notifications.actions import Recipient
from incident_service.teams.models import Channel, ContactMethod

WEBHOOK = {"kind": "webhook", "address": "https://pager.example/retired"}


@pytest.fixture
async def scene(transactions: Transactions) -> Scene:
    return await set_scene(transactions, signing_secret="whsec_c2VjcmV0", **WEBHOOK)


@pytest.fixture
async def incident(transactions: Transactions, scene: Scene) -> Incident:
    """The scene's person has been told of it."""
    [incident] = await page_about(transactions, scene)
    await make_courier(transactions, ScriptedChannel()).deliver(scene.method.id)
    return incident


@pytest.fixture
def url(scene: Scene) -> str:
    return f"/v1/users/{scene.user.id}/contact-methods"


async def rows(transactions: Transactions) -> list[ContactMethod]:
    async with transactions.open() as tx:
        return list(await tx.session.scalars(select(ContactMethod).order_by(ContactMethod.id)))


async def test_what_was_told_there_can_still_be_read(api, scene, incident, url):
    answer = await api.delete(f"{url}/{scene.method.id}")

    told = (await api.get(f"/v1/incidents/{incident.id}/notifications")).json()["items"]
    assert answer.status_code == 204
    assert [(row["recipient"], row["channel"], row["status"]) for row in told] == [
        (scene.user.name, "webhook", "sent")
    ]
    assert (await api.get(f"/v1/pages/{told[0]['page_id']}")).json()["status"] == "sent"


async def test_the_link_in_its_page_can_still_be_answered(api, transactions, scene, incident, url):
    await api.delete(f"{url}/{scene.method.id}")

    [page] = await pages(transactions)
    async with transactions.open() as tx:
        asked = await find_asked(tx.session, page.id)
    assert asked is not None
    assert [member.incident.id for member in asked.members] == [incident.id]


async def test_the_address_and_its_secret_are_wiped(api, transactions, scene, incident, url):
    await api.delete(f"{url}/{scene.method.id}")

    [row] = await rows(transactions)
    assert (row.address, row.signing_secret, row.is_enabled) == ("", None, False)


@pytest.mark.parametrize("method", ["get", "patch", "delete"])
async def test_for_everybody_else_it_is_gone(api, scene, incident, url, method):
    await api.delete(f"{url}/{scene.method.id}")

    body = {"json": {"is_enabled": True}} if method == "patch" else {}
    answer = await getattr(api, method)(f"{url}/{scene.method.id}", **body)
    assert answer.status_code == 404
    assert (await api.get(url)).json()["items"] == []
    unreachable = (await api.get("/v1/users?reachable=false")).json()["items"]
    assert [user["id"] for user in unreachable] == [str(scene.user.id)]


async def test_rules_do_not_name_it_any_more(api, scene, incident, url):
    rules = f"/v1/users/{scene.user.id}/notification-rules"
    body = {"rules": [{"priority": "critical", "contact_method_id": str(scene.method.id)}]}
    await api.put(rules, json=body)

    await api.delete(f"{url}/{scene.method.id}")

    assert (await api.get(rules)).json()["rules"] == []
    assert (await api.put(rules, json=body)).status_code == 422


async def test_the_same_address_can_be_added_and_deleted_again(
    api, transactions, scene, incident, url
):
    await api.delete(f"{url}/{scene.method.id}")

    again = await api.post(url, json=WEBHOOK)
    async with transactions.open() as tx:
        await ask(tx, scene, incident, recipient=Recipient(scene.user.id, again.json()["id"]))
    await make_courier(transactions, ScriptedChannel()).deliver(again.json()["id"])
    answer = await api.delete(f"{url}/{again.json()['id']}")

    assert (again.status_code, answer.status_code) == (201, 204)
    assert [row.address for row in await rows(transactions)] == ["", ""]


async def test_one_that_was_told_nothing_is_deleted(api, transactions, scene, url):
    await api.delete(f"{url}/{scene.method.id}")

    assert await rows(transactions) == []


async def test_a_teams_channel_leaves_its_name_in_the_record_and_free_for_another(
    api, transactions, scene, incident
):
    channels = f"/v1/teams/{scene.service.team_id}/channels"
    body = {"name": "#payments", "kind": "webhook", "address": "https://chat.example/hook"}
    made = (await api.post(channels, json=body)).json()
    async with transactions.open() as tx:
        await ask(tx, scene, incident, recipient=Recipient(None, made["id"]))
    await make_courier(transactions, ScriptedChannel()).deliver(made["id"])

    deleted = await api.delete(f"{channels}/{made['id']}")

    told = (await api.get(f"/v1/incidents/{incident.id}/notifications")).json()["items"]
    assert deleted.status_code == 204
    assert told[-1]["recipient"] == "#payments"
    assert (await api.get(f"{channels}/{made['id']}")).status_code == 404
    assert (await api.get(channels)).json()["items"] == []
    assert (await api.post(channels, json=body)).status_code == 201


async def test_a_policy_cannot_name_a_retired_channel(api, transactions, scene, incident):
    async with transactions.open() as tx:
        team = await factories.make_team(tx)
        channel = await factories.make_team_channel(tx, team)
        policy = await factories.make_policy(tx, team, [scene.user])
        await ask(tx, scene, incident, recipient=Recipient(None, channel.id))
    await make_courier(transactions, ScriptedChannel()).deliver(channel.id)
    await api.delete(f"/v1/teams/{team.id}/channels/{channel.id}")

    level = {
        "target_type": "user",
        "target_id": str(scene.user.id),
        "additional_targets": [{"target_type": "team_channel", "target_id": str(channel.id)}],
    }
    answer = await api.put(f"/v1/escalation-policies/{policy.id}/levels/1", json=level)

    assert answer.status_code == 422


async def test_the_configuration_does_not_name_it(api, transactions, scene, incident, url):
    await api.delete(f"{url}/{scene.method.id}")

    async with transactions.open() as tx:
        present = await load_present(tx.session, with_history=True)
    [person] = present[Kind.USER]
    assert person.parts == {Kind.CONTACT_METHOD: []}


async def test_a_page_that_it_still_owes_says_that_it_was_deleted(transactions, scene, clock):
    await page_about(transactions, scene)
    async with transactions.open() as tx:
        row = await tx.session.get_one(ContactMethod, scene.method.id)
        row.retired_at, row.is_enabled = tx.now, False
    channel = ScriptedChannel()

    await make_courier(transactions, channel).deliver(scene.method.id)

    [page] = await pages(transactions)
    assert page.last_error == "The contact method was deleted."
    assert channel.pages == []
    assert page.channel is Channel.WEBHOOK
