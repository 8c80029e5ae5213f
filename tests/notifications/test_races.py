"""An address is deleted at the instant at which it is to be told: one of the two comes second."""

import asyncio

import pytest
from tests import factories
from tests.notifications.arrangements import (
    Scene,
    ask,
    set_scene,
    somebody_waits_for_a_lock,
    statuses,
)

from incident_service.configuration.in_use import PEOPLE_HOOKS
from incident_service.core.db import Transactions
from incident_service.incidents.models import Incident
from incident_service.notifications.actions import Recipient
from incident_service.notifications.models import NotificationStatus
from incident_service.teams.actions.contact_methods import delete_contact_method
from incident_service.teams.models import Channel

PENDING = NotificationStatus.PENDING


@pytest.fixture
async def scene(transactions: Transactions) -> Scene:
    return await set_scene(transactions)


@pytest.fixture
async def incident(transactions: Transactions, scene: Scene) -> Incident:
    async with transactions.open() as tx:
        return await factories.make_incident(tx, scene.service)


@pytest.mark.parametrize("path", ["/contact-methods/{method}", ""], ids=["address", "person"])
async def test_what_a_page_is_being_made_for_is_not_deleted(
    api, transactions, scene, incident, path
):
    url = f"/v1/users/{scene.user.id}{path.format(method=scene.method.id)}"

    async with transactions.open() as tx:
        await ask(tx, scene, incident)
        deleting = asyncio.create_task(api.delete(url))
        await somebody_waits_for_a_lock(transactions)

    answer = await deleting
    assert (answer.status_code, answer.json()["code"]) == (409, "still_referenced")
    assert await statuses(transactions) == [PENDING]


async def test_a_teams_channel_that_a_page_is_being_made_for_is_not_deleted(
    api, transactions, scene, incident
):
    url = f"/v1/teams/{scene.service.team_id}/channels"
    body = {"name": "bridge", "kind": "webhook", "address": "https://chat.example/hook"}
    made = (await api.post(url, json=body)).json()

    async with transactions.open() as tx:
        await ask(tx, scene, incident, recipient=Recipient(None, made["id"]))
        deleting = asyncio.create_task(api.delete(f"{url}/{made['id']}"))
        await somebody_waits_for_a_lock(transactions)

    assert (await deleting).status_code == 409
    assert await statuses(transactions) == [PENDING]


async def test_who_pages_an_address_that_is_being_deleted_pages_without_it(stage, transactions):
    async with transactions.open() as tx:
        other = await factories.make_contact_method(
            tx, stage.first, kind=Channel.WEBHOOK, address="https://pager.example/other"
        )

    async with transactions.open() as tx:
        await delete_contact_method(
            tx, stage.first.id, other.id, (), hooks=PEOPLE_HOOKS, by=stage.principal
        )
        firing = asyncio.create_task(stage.fire("Disk"))
        await somebody_waits_for_a_lock(transactions)

    assert await firing == ["opened"]
    (told,) = await stage.notifications(await stage.incident())
    assert told.contact_method_id != other.id
