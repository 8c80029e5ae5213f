from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from tests import factories
from tests.credentials import key_with, limited_to

from incident_service.alerts.models import Alert, AlertStatus
from incident_service.catalog.models import Service
from incident_service.catalog.priority import Priority
from incident_service.catalog.queries import find_integration
from incident_service.core import tokens
from incident_service.core.db import Transactions
from incident_service.core.ids import new_id
from incident_service.settings import Settings

URL = "/v1/integrations"


@pytest.fixture
def settings():
    return Settings(_env_file=None, public_url="https://incidents.example/")


@pytest.fixture
async def service(transactions):
    async with transactions.open() as tx:
        return await factories.make_service(tx, await factories.make_team(tx))


def sender(service: Service, **more: Any) -> dict[str, Any]:
    return {"service_id": str(service.id), "name": "Prod", "kind": "alertmanager"} | more


async def finds(transactions: Transactions, key: str) -> bool:
    async with transactions.open() as tx:
        return await find_integration(tx.session, key, tx.now) is not None


async def test_an_integration_is_made_with_its_key(api, transactions, service):
    answer = await api.post(URL, json=sender(service))

    made = answer.json()
    assert answer.status_code == 201
    assert made == {
        "id": made["id"],
        "service_id": str(service.id),
        "name": "Prod",
        "kind": "alertmanager",
        "is_enabled": True,
        "key": made["key"],
        "key_hint": made["key"][: tokens.HINT_LENGTH],
        "last_heard_at": None,
        "previous_key_expires_at": None,
        "ingest_url": "https://incidents.example/v1/ingest/alertmanager",
        "created_at": "2026-11-02T12:00:00Z",
        "updated_at": "2026-11-02T12:00:00Z",
    }
    assert made["key"].startswith("isi_")
    assert await finds(transactions, made["key"])


async def test_neither_the_key_nor_its_hash_is_shown_again(api, service):
    made = (await api.post(URL, json=sender(service))).json()
    one = f"{URL}/{made['id']}"

    answers = [await api.get(URL), await api.get(one), await api.patch(one, json={"name": "X"})]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    for answer in answers:
        assert made["key"] not in answer.text
        assert tokens.digest(made["key"]) not in answer.text


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"kind": "pigeon"}, "/kind"),
        ({"key": "mine"}, "/key"),
        ({"service_id": "x"}, "/service_id"),
    ],
)
async def test_an_integration_that_is_wrong_is_refused(api, service, wrong, pointer):
    answer = await api.post(URL, json=sender(service, **wrong))

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_an_unknown_service_is_404(api, service):
    made = (await api.post(URL, json=sender(service))).json()
    wish = {"service_id": str(uuid4())}

    answers = [
        await api.post(URL, json=sender(service, **wish)),
        await api.patch(f"{URL}/{made['id']}", json=wish),
    ]

    assert [answer.json()["code"] for answer in answers] == ["service_not_found"] * 2


async def test_one_name_twice_in_a_service_is_a_conflict(api, service):
    await api.post(URL, json=sender(service))

    answer = await api.post(URL, json=sender(service, name="PROD"))

    assert answer.status_code == 409
    assert answer.json()["code"] == "integrations_name"


async def test_integrations_are_shown_and_listed(api, transactions, service):
    made = (await api.post(URL, json=sender(service))).json()
    del made["key"]
    async with transactions.open() as tx:
        other = await factories.make_service(tx, await factories.make_team(tx))
    await api.post(URL, json=sender(other))

    shown = await api.get(f"{URL}/{made['id']}")
    everything = await api.get(URL)
    narrowed = await api.get(URL, params={"service_id": str(service.id)})

    assert shown.json() == made
    assert len(everything.json()["items"]) == 2
    assert narrowed.json() == {"items": [made], "next_cursor": None}


@pytest.mark.parametrize(
    ("method", "path"), [("get", ""), ("patch", ""), ("delete", ""), ("post", "/rotate-key")]
)
async def test_an_unknown_integration_is_404(api, method, path):
    body = {"json": {"name": "X"}} if method == "patch" else {}

    answer = await api.request(method, f"{URL}/{uuid4()}{path}", **body)

    assert answer.status_code == 404
    assert answer.json()["code"] == "integration_not_found"


async def test_an_integration_changes(api, transactions, service):
    async with transactions.open() as tx:
        other = await factories.make_service(tx, await factories.make_team(tx))
    made = (await api.post(URL, json=sender(service))).json()
    del made["key"]
    changes = {"name": "Staging", "is_enabled": False, "service_id": str(other.id)}

    answer = await api.patch(f"{URL}/{made['id']}", json=changes)

    assert answer.status_code == 200
    assert answer.json() == made | changes


async def test_a_rotated_key_leaves_the_previous_one_valid_for_a_day(
    api, transactions, service, clock
):
    made = (await api.post(URL, json=sender(service))).json()

    rotated = (await api.post(f"{URL}/{made['id']}/rotate-key")).json()

    assert rotated["key"] != made["key"]
    assert rotated["key_hint"] == rotated["key"][: tokens.HINT_LENGTH]
    assert rotated["previous_key_expires_at"] == "2026-11-03T12:00:00Z"
    assert await finds(transactions, made["key"])
    clock.advance(days=1)
    assert not await finds(transactions, made["key"])
    assert await finds(transactions, rotated["key"])


async def test_the_previous_key_is_kept_as_long_as_asked_for(api, transactions, service):
    made = (await api.post(URL, json=sender(service))).json()
    rotate = f"{URL}/{made['id']}/rotate-key"

    kept = (await api.post(rotate, json={"keep_previous_minutes": 5})).json()
    ended = (await api.post(rotate, json={"keep_previous_minutes": 0})).json()

    assert kept["previous_key_expires_at"] == "2026-11-02T12:05:00Z"
    assert ended["previous_key_expires_at"] is None
    assert not await finds(transactions, kept["key"])
    assert await finds(transactions, ended["key"])


async def test_at_most_two_keys_are_valid(api, transactions, service):
    first = (await api.post(URL, json=sender(service))).json()
    rotate = f"{URL}/{first['id']}/rotate-key"

    second = (await api.post(rotate)).json()
    third = (await api.post(rotate)).json()

    valid = [await finds(transactions, item["key"]) for item in (first, second, third)]
    assert valid == [False, True, True]


@pytest.mark.parametrize("minutes", [-1, 44641, "soon"])
async def test_a_key_is_kept_for_a_month_at_most(api, service, minutes):
    made = (await api.post(URL, json=sender(service))).json()

    answer = await api.post(
        f"{URL}/{made['id']}/rotate-key", json={"keep_previous_minutes": minutes}
    )

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/keep_previous_minutes"


async def test_an_unused_integration_is_deleted(api, transactions, service):
    made = (await api.post(URL, json=sender(service))).json()

    answer = await api.delete(f"{URL}/{made['id']}")

    assert answer.status_code == 204
    assert not await finds(transactions, made["key"])


async def test_an_integration_with_alerts_stays(api, transactions, service):
    made = (await api.post(URL, json=sender(service))).json()
    async with transactions.open() as tx:
        tx.session.add(alert_through(made["id"], service, tx.now))

    answer = await api.delete(f"{URL}/{made['id']}")

    assert answer.status_code == 409
    assert answer.json()["code"] == "still_referenced"
    assert "disable it" in answer.json()["detail"]


def alert_through(integration_id: str, service: Service, now: datetime) -> Alert:
    return Alert(
        id=new_id(),
        integration_id=integration_id,
        service_id=service.id,
        fingerprint="f00",
        incident_fingerprint="f00",
        status=AlertStatus.FIRING,
        starts_at=now - timedelta(minutes=1),
        starts_at_estimated=False,
        labels={},
        annotations={},
        title="DiskFull",
        priority=Priority.HIGH,
        generator_url="",
        received_count=1,
        first_received_at=now,
        last_received_at=now,
    )


async def test_changes_need_the_scope_manage(api, transactions, service):
    reader = await key_with(transactions, scopes=["read", "respond"])
    one = f"{URL}/{(await api.post(URL, json=sender(service))).json()['id']}"

    answers = [
        await api.post(URL, headers=reader, json=sender(service)),
        await api.patch(one, headers=reader, json={"name": "X"}),
        await api.post(f"{one}/rotate-key", headers=reader),
        await api.delete(one, headers=reader),
    ]

    assert [answer.status_code for answer in answers] == [403] * 4


async def test_another_teams_integrations_do_not_exist(api, transactions, service):
    async with transactions.open() as tx:
        ours = await factories.make_team(tx)
    one = f"{URL}/{(await api.post(URL, json=sender(service))).json()['id']}"
    headers = await limited_to(transactions, ours)

    answers = [
        await api.get(one, headers=headers),
        await api.patch(one, headers=headers, json={"name": "X"}),
        await api.post(f"{one}/rotate-key", headers=headers),
        await api.delete(one, headers=headers),
        await api.post(URL, headers=headers, json=sender(service, name="Y")),
    ]

    assert [answer.status_code for answer in answers] == [404] * 5
    assert (await api.get(URL, headers=headers)).json()["items"] == []


async def test_a_limited_key_sends_no_integration_to_another_team(api, transactions, service):
    async with transactions.open() as tx:
        theirs = await factories.make_service(tx, await factories.make_team(tx))
        ours = await factories.make_team(tx)
        own = await factories.make_service(tx, ours)
    headers = await limited_to(transactions, ours)
    made = (await api.post(URL, headers=headers, json=sender(own))).json()

    answer = await api.patch(
        f"{URL}/{made['id']}", headers=headers, json={"service_id": str(theirs.id)}
    )

    assert answer.status_code == 404
    assert answer.json()["code"] == "service_not_found"
