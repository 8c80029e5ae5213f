"""Webhook subscriptions over HTTP."""

import pytest
from tests.credentials import limited_to

from incident_service.incidents.timeline import EventKind
from incident_service.subscriptions.models import WebhookSubscription

URL = "/v1/webhook-subscriptions"


@pytest.fixture
def body(desk):
    return {"team_id": str(desk.team.id), "name": "Chat bot", "url": desk.receiver.url("api")}


async def test_the_secret_is_shown_once(api, body):
    made = (await api.post(URL, json=body)).json()
    read = (await api.get(f"{URL}/{made['id']}")).json()
    listed = (await api.get(URL)).json()["items"]

    assert made.pop("secret").startswith("whsec_")
    assert read == made
    assert listed == [made]


async def test_the_url_is_shown_masked_and_not_taken_so(api, body):
    url = "https://hooks.example/in/a-path-that-nobody-guesses"
    made = (await api.post(URL, json=body | {"url": url})).json()

    listed = (await api.get(URL)).json()["items"]
    taken = await api.patch(f"{URL}/{made['id']}", json={"url": made["url"]})

    assert made["url"] == listed[0]["url"] == "https://hooks.example/…sses"
    assert taken.status_code == 422
    assert "masked" in taken.text


async def test_a_rotation_shows_the_new_secret_and_until_when_the_old_one_signs(api, body):
    made = (await api.post(URL, json=body)).json()

    kept = (await api.post(f"{URL}/{made['id']}/rotate-secret")).json()
    ended = await api.post(f"{URL}/{made['id']}/rotate-secret", json={"keep_previous_minutes": 0})

    assert len({made["secret"], kept["secret"], ended.json()["secret"]}) == 3
    assert kept["previous_secret_expires_at"]
    assert ended.json()["previous_secret_expires_at"] is None


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"url": "ftp://hooks.example"}, "/url"),
        ({"url": "https://user:secret@hooks.example"}, "/url"),
        ({"kinds": ["exploded"]}, "/kinds/0"),
        ({"name": " "}, "/name"),
    ],
)
async def test_what_cannot_be_used_is_refused(api, body, change, pointer):
    answer = await api.post(URL, json=body | change)

    assert answer.status_code == 422
    assert pointer in answer.text


async def test_a_change_is_checked_like_a_new_one(api, body):
    made = (await api.post(URL, json=body)).json()

    wrong = await api.patch(f"{URL}/{made['id']}", json={"url": "nowhere"})
    right = await api.patch(f"{URL}/{made['id']}", json={"kinds": ["resolved"], "name": "Bot"})

    assert wrong.status_code == 422
    assert (right.json()["kinds"], right.json()["name"]) == (["resolved"], "Bot")


async def test_the_delivery_log_shows_what_came_of_each_event(api, body, desk):
    made = (await api.post(URL, json=body)).json()
    url = f"{URL}/{made['id']}/deliveries"
    incident = await desk.incident()
    desk.receiver.answer = lambda heard: 500 if heard.kind == "resolved" else 204
    await desk.happen(incident, EventKind.OPENED, EventKind.RESOLVED)
    await desk.run()

    log = (await api.get(url)).json()["items"]
    pending = (await api.get(url, params={"status": "pending"})).json()["items"]
    early = await api.post(f"{url}/{pending[0]['id']}/redeliver")
    again = await api.post(f"{url}/{log[1]['id']}/redeliver")

    assert [item["kind"] for item in log] == ["resolved", "opened"]
    assert [item["last_status"] for item in log] == [500, 204]
    assert pending == log[:1]
    assert (early.status_code, early.json()["code"]) == (409, "still_on_its_way")
    assert (again.status_code, again.json()["status"]) == (202, "pending")


async def test_a_ping_shows_in_the_log(api, body, desk):
    made = (await api.post(URL, json=body)).json()

    asked = await api.post(f"{URL}/{made['id']}/test")
    await desk.send()
    (item,) = (await api.get(f"{URL}/{made['id']}/deliveries")).json()["items"]

    assert (asked.status_code, asked.json()["status"]) == (202, "pending")
    assert (item["kind"], item["status"], item["incident_id"]) == ("ping", "delivered", None)
    desk.receiver.heard[0].verify(made["secret"])


async def test_a_pause_shows_and_enabling_ends_it(api, body, desk):
    made = (await api.post(URL, json=body)).json()
    desk.receiver.answer = lambda heard: 410
    await desk.happen(await desk.incident(), EventKind.OPENED)
    await desk.run()

    paused = (await api.get(f"{URL}/{made['id']}")).json()
    enabled = (await api.patch(f"{URL}/{made['id']}", json={"is_enabled": True})).json()

    assert (paused["is_enabled"], bool(paused["paused_at"])) == (False, True)
    assert "410" in paused["pause_reason"]
    assert (enabled["is_enabled"], enabled["paused_at"], enabled["failures"]) == (True, None, 0)


async def test_disabling_what_is_paused_says_that_somebody_knows(api, body, desk):
    made = (await api.post(URL, json=body)).json()
    desk.receiver.answer = lambda heard: 410
    await desk.happen(await desk.incident(), EventKind.OPENED)
    await desk.run()

    known = (await api.patch(f"{URL}/{made['id']}", json={"is_enabled": False})).json()

    assert (known["is_enabled"], known["paused_at"], known["pause_reason"]) == (False, None, None)


async def test_every_teams_events_need_a_key_that_is_not_limited(
    api, anonymous, body, desk, transactions
):
    headers = await limited_to(transactions, desk.team)
    wide = body | {"team_id": None}

    refused = await anonymous.post(URL, json=wide, headers=headers)
    made = (await api.post(URL, json=wide)).json()
    hidden = await anonymous.get(f"{URL}/{made['id']}", headers=headers)
    listed = await anonymous.get(URL, headers=headers)

    assert (refused.status_code, refused.json()["code"]) == (403, "key_limited")
    assert hidden.status_code == 404
    assert listed.json()["items"] == []


async def test_a_delivery_of_another_subscription_is_not_found(api, body, desk):
    one = (await api.post(URL, json=body)).json()
    other = (await api.post(URL, json=body)).json()
    asked = (await api.post(f"{URL}/{one['id']}/test")).json()

    answer = await api.post(f"{URL}/{other['id']}/deliveries/{asked['id']}/redeliver")

    assert answer.status_code == 404


async def test_a_deleted_subscription_is_gone(api, body, desk):
    made = (await api.post(URL, json=body)).json()
    await api.post(f"{URL}/{made['id']}/test")

    deleted = await api.delete(f"{URL}/{made['id']}")

    assert deleted.status_code == 204
    async with desk.transactions.open() as tx:
        assert await tx.session.get(WebhookSubscription, made["id"]) is None
