from dataclasses import replace

import httpx
from tests import factories
from tests.fakes import FrozenClock
from tests.notifications.arrangements import (
    ScriptedChannel,
    ask,
    make_courier,
    page_about,
    pages,
    set_scene,
    temporary,
)

from incident_service.core.db import Transactions
from incident_service.core.ids import new_id


async def test_it_shows_who_was_told_how_and_with_what_result(
    api: httpx.AsyncClient, transactions: Transactions, clock: FrozenClock
):
    scene = await set_scene(transactions)
    [incident] = await page_about(transactions, scene)
    courier = make_courier(transactions, ScriptedChannel(temporary()))
    await courier.deliver(scene.method.id)

    answer = await api.get(f"/v1/incidents/{incident.id}/notifications")

    [page] = await pages(transactions)
    [item] = answer.json()["items"]
    assert item.pop("id")
    assert item == {
        "incident_id": str(incident.id),
        "recipient": scene.user.name,
        "user_id": str(scene.user.id),
        "contact_method_id": str(scene.method.id),
        "channel": "webhook",
        "kind": "page",
        "reason": "level 1 of the policy",
        "level": 1,
        "repeat": 1,
        "due_at": "2026-11-02T12:00:00Z",
        "status": "sending",
        "page_id": str(page.id),
        "attempts": 1,
        "why": "Attempt 1 failed; the next one is at 2026-11-02 12:00:02 UTC.",
        "last_error": "The receiver answered 503.",
        "provider_said": "The receiver answered 503.",
        "provider_status": None,
        "sent_at": None,
        "created_at": "2026-11-02T12:00:00Z",
    }


async def test_what_is_not_sent_yet_has_no_page(api: httpx.AsyncClient, transactions: Transactions):
    scene = await set_scene(transactions)
    [incident] = await page_about(transactions, scene)

    answer = await api.get(f"/v1/incidents/{incident.id}/notifications")

    [item] = answer.json()["items"]
    assert (item["status"], item["page_id"], item["attempts"]) == ("pending", None, 0)


async def test_the_list_comes_in_pages(api: httpx.AsyncClient, transactions: Transactions):
    scene = await set_scene(transactions)
    [incident] = await page_about(transactions, scene)
    async with transactions.open() as tx:
        other = await factories.make_contact_method(tx, scene.user)
        await ask(tx, replace(scene, method=other), incident)
    path = f"/v1/incidents/{incident.id}/notifications"

    first = (await api.get(path, params={"limit": 1})).json()
    second = (await api.get(path, params={"limit": 1, "cursor": first["next_cursor"]})).json()

    addresses = [page["items"][0]["contact_method_id"] for page in (first, second)]
    assert addresses == [str(scene.method.id), str(other.id)]
    assert second["next_cursor"] is None


async def test_an_unknown_incident_is_not_found(api: httpx.AsyncClient):
    answer = await api.get(f"/v1/incidents/{new_id()}/notifications")

    assert answer.status_code == 404


async def test_another_teams_incident_is_not_found(
    anonymous: httpx.AsyncClient, transactions: Transactions
):
    scene = await set_scene(transactions)
    [incident] = await page_about(transactions, scene)
    async with transactions.open() as tx:
        others = await factories.make_team(tx)
        key = await factories.make_api_key(tx, scopes=["read"], team_ids=[str(others.id)])

    answer = await anonymous.get(
        f"/v1/incidents/{incident.id}/notifications",
        headers={"Authorization": f"Bearer {key}"},
    )

    assert answer.status_code == 404


async def test_an_address_that_a_page_is_on_its_way_to_cannot_be_deleted(api, transactions):
    scene = await set_scene(transactions)
    await page_about(transactions, scene)

    answers = [
        await api.delete(f"/v1/users/{scene.user.id}/contact-methods/{scene.method.id}"),
        await api.delete(f"/v1/users/{scene.user.id}"),
    ]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (409, "still_referenced"),
        (409, "still_referenced"),
    ]
    assert "still to be sent there: 1." in answers[0].json()["detail"]
