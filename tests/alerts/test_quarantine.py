"""Alerts that could not be stored can be looked at, and are not kept without bound."""

from typing import Any

import httpx
import pytest
from sqlalchemy import func, select
from tests.stage import Stage

from incident_service.alerts import quarantine
from incident_service.alerts.incoming import Rejected
from incident_service.alerts.models import RejectedAlert
from incident_service.core.reconciler import Swept

INGEST = "/v1/ingest/alertmanager"
GOOD = {"labels": {"alertname": "DiskFull"}}


@pytest.fixture
def path(stage: Stage) -> str:
    return f"/v1/integrations/{stage.integration.id}/rejected-alerts"


async def send(api: httpx.AsyncClient, stage: Stage, *alerts: Any) -> None:
    key = {"Authorization": f"Bearer {stage.key}"}
    answer = await api.post(INGEST, json={"alerts": alerts}, headers=key)
    assert answer.status_code == 202


async def count(stage: Stage) -> int:
    async with stage.transactions.open() as tx:
        return await tx.session.scalar(select(func.count()).select_from(RejectedAlert)) or 0


async def keep(stage: Stage, number: int) -> None:
    refused = [Rejected(index, "not_an_object", "No.", index) for index in range(number)]
    async with stage.transactions.open() as tx:
        await quarantine.keep(tx, stage.integration.id, refused)


async def test_what_cannot_be_stored_is_shown_with_the_reason_and_its_neighbour_goes_in(
    api, stage, path
):
    await send(api, stage, {"labels": {}}, GOOD, "not an alert")

    shown = (await api.get(path)).json()["items"]
    assert [(item["position"], item["code"], item["content"]) for item in shown] == [
        (2, "not_an_object", '"not an alert"'),
        (0, "no_identity", '{"labels": {}}'),
    ]
    assert shown[0]["message"] == "An alert must be a JSON object."
    assert len(await stage.alerts()) == 1


async def test_it_is_shown_even_when_nothing_of_the_webhook_can_be_stored(api, stage, path):
    key = {"Authorization": f"Bearer {stage.key}"}

    answer = await api.post(INGEST, json={"alerts": [5, GOOD | {"labels": []}]}, headers=key)

    assert answer.status_code == 400
    assert len((await api.get(path)).json()["items"]) == 2


async def test_of_a_long_one_the_beginning_is_kept(api, stage, path):
    await send(api, stage, {"labels": {}, "text": "é\0" * 5_000}, GOOD)

    [shown] = (await api.get(path)).json()["items"]
    assert len(shown["content"]) == quarantine.LONGEST_CONTENT
    assert shown["content"].endswith("…")


async def test_of_a_webhook_the_first_are_kept(api, stage, path):
    await send(api, stage, *range(100), GOOD)

    shown = (await api.get(path)).json()["items"]
    assert [item["position"] for item in shown] == list(range(quarantine.KEPT_OF_A_WEBHOOK))[::-1]


async def test_of_a_sender_the_latest_are_kept(stage):
    webhooks = quarantine.KEPT_OF_A_SENDER // quarantine.KEPT_OF_A_WEBHOOK + 2

    for _ in range(webhooks):
        await keep(stage, quarantine.KEPT_OF_A_WEBHOOK)

    assert await count(stage) == quarantine.KEPT_OF_A_SENDER


async def test_it_goes_after_some_weeks(stage):
    await keep(stage, 1)
    stage.clock.advance(days=29)
    await keep(stage, 2)

    before = await quarantine.prune(stage.transactions)
    stage.clock.advance(days=2)
    after = await quarantine.prune(stage.transactions)

    assert (before, after) == (Swept(0), Swept(1))
    assert await count(stage) == 2


async def test_it_goes_with_its_integration(api, stage, path):
    await keep(stage, 1)

    (await api.delete(path.removesuffix("/rejected-alerts"))).raise_for_status()

    assert await count(stage) == 0
