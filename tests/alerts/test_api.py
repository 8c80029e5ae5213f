import asyncio
import base64
import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from prometheus_client import REGISTRY

from incident_service.alerts.adapters import alertmanager
from incident_service.alerts.intake import ALERTS_AT_ONCE, HEAVY_BYTES, Intake, NotStored
from incident_service.alerts.limits import Limits
from incident_service.alerts.senders import Sender
from incident_service.catalog.models import Integration
from incident_service.core.ids import new_id
from incident_service.web.problems import status_of

PATH = "/v1/ingest/alertmanager"
PAYLOADS = sorted((Path(__file__).parent / "payloads").glob("*.json"))
ALERT: dict[str, Any] = {
    "status": "firing",
    "labels": {"alertname": "DiskFull", "severity": "critical"},
    "annotations": {"summary": "The disk is full"},
    "startsAt": "2026-11-02T11:59:00Z",
}
GOOD: dict[str, Any] = {"version": "4", "status": "firing", "alerts": [ALERT]}


def dumps(document: Any) -> bytes:
    return json.dumps(document).encode()


def basic(credentials: str) -> str:
    return "Basic " + base64.b64encode(credentials.encode()).decode()


async def in_pieces(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


# --- what comes back


async def test_an_alert_opens_an_incident_and_the_answer_names_it(sender, stage):
    answer = await sender.post(PATH, json=GOOD)

    incident = await stage.incident()
    assert answer.status_code == 202
    assert answer.json() == {
        "accepted": 1,
        "rejected": 0,
        "results": [
            {
                "fingerprint": "7235c181ae0a2582",
                "outcome": "opened",
                "incident_id": str(incident.id),
            }
        ],
        "errors": [],
    }
    assert incident.title == "The disk is full"
    assert incident.priority == "critical"


async def test_the_same_webhook_again_changes_nothing(sender, stage):
    first = await sender.post(PATH, json=GOOD)

    again = await sender.post(PATH, json=GOOD)

    assert again.json()["results"][0]["outcome"] == "repeated"
    assert again.json()["results"][0]["incident_id"] == first.json()["results"][0]["incident_id"]
    assert len(await stage.incidents()) == 1


@pytest.mark.parametrize("path", PAYLOADS, ids=lambda path: path.stem)
async def test_the_payload_of_every_version_is_stored(sender, stage, path):
    document = json.loads(path.read_text())
    alerts = document if isinstance(document, list) else document["alerts"]

    answer = await sender.post(PATH, content=path.read_bytes())

    assert answer.status_code == 202
    assert answer.json()["accepted"] == len(alerts)
    assert len(await stage.alerts()) == len(alerts)


async def test_a_life_told_by_alertmanager_is_one_incident_an_alert(sender, stage):
    outcomes = []

    for name in ("firing", "added", "repeated", "mixed", "resolved"):
        content = (PAYLOADS[0].parent / f"current_{name}.json").read_bytes()
        answer = await sender.post(PATH, content=content)
        outcomes.append([result["outcome"] for result in answer.json()["results"]])

    assert outcomes == [
        ["opened"],
        ["repeated", "opened"],
        ["repeated", "repeated"],
        ["resolved", "repeated"],
        ["repeated", "resolved"],
    ]
    assert [incident.status for incident in await stage.incidents()] == ["RESOLVED", "RESOLVED"]


async def test_bad_alerts_are_named_and_the_others_stored(sender, stage):
    answer = await sender.post(PATH, json={"alerts": [None, 5, ALERT, {}]})

    assert answer.status_code == 202
    assert answer.json()["accepted"] == 1
    assert answer.json()["rejected"] == 3
    assert answer.json()["errors"] == [
        {"index": 0, "code": "not_an_object", "message": "An alert must be a JSON object."},
        {"index": 1, "code": "not_an_object", "message": "An alert must be a JSON object."},
        {"index": 3, "code": "no_identity", "message": "An alert needs labels or a fingerprint."},
    ]
    assert len(await stage.alerts()) == 1


async def test_at_most_ten_bad_alerts_are_listed(sender):
    answer = await sender.post(PATH, json={"alerts": [ALERT, *[None] * 500]})

    assert answer.json()["rejected"] == 500
    assert len(answer.json()["errors"]) == 10


async def test_a_large_payload_is_stored_like_a_small_one(sender, stage):
    alerts = [ALERT | {"labels": {"alertname": f"A{n}", "pad": "x" * 900}} for n in range(300)]
    content = dumps({"alerts": alerts})
    assert len(content) > HEAVY_BYTES

    answer = await sender.post(PATH, content=content)

    assert answer.json()["accepted"] == 300
    assert len(await stage.alerts()) == 300


async def test_more_alerts_than_one_transaction_takes_are_all_stored(sender, stage):
    quiet = [{"labels": {"alertname": f"A{n}", "severity": "info"}} for n in range(ALERTS_AT_ONCE)]
    alerts = [*quiet, {"labels": {"alertname": "Last", "severity": "info"}}]

    first = await sender.post(PATH, json={"alerts": alerts})
    again = await sender.post(PATH, json={"alerts": alerts})

    assert {result["outcome"] for result in first.json()["results"]} == {"opened"}
    assert {result["outcome"] for result in again.json()["results"]} == {"repeated"}
    assert len(await stage.alerts()) == len(await stage.incidents()) == len(alerts)


# --- transport


async def test_68_a_body_that_turns_out_too_large_is_refused(app, transactions, sender, stage):
    app.state.intake = Intake(transactions, Limits(bytes_sent=100))

    answer = await sender.post(PATH, content=in_pieces(*[b"x" * 60] * 5))

    assert answer.status_code == 413
    assert await stage.alerts() == []


async def test_a_body_that_unpacks_to_too_much_is_refused(app, transactions, sender):
    app.state.intake = Intake(transactions, Limits(bytes_unpacked=10_000))
    bomb = gzip.compress(b"[" + b" " * 1_000_000, mtime=0)

    answer = await sender.post(PATH, content=bomb, headers={"Content-Encoding": "gzip"})

    assert answer.status_code == 413


async def test_a_slow_sender_is_not_waited_for(app, transactions, sender, stage):
    app.state.intake = Intake(transactions, Limits(wait_s=0.05))

    async def slow() -> AsyncIterator[bytes]:
        yield dumps(GOOD)
        await asyncio.Event().wait()

    answer = await sender.post(PATH, content=slow())

    assert answer.status_code == 408
    assert await stage.alerts() == []


async def test_an_integration_that_goes_away_meanwhile_loses_no_alert(transactions, stage):
    parsed = alertmanager.read(dumps(GOOD))
    gone = Sender(new_id(), stage.service.id)

    with pytest.raises(NotStored) as refused:
        await Intake(transactions).fold(gone, parsed.alerts)

    assert status_of(refused.value) == 503


# --- who sends


async def test_a_key_in_the_path_wins_over_the_credentials_of_a_proxy(anonymous, stage):
    headers = {"Authorization": basic("proxy:password")}

    answer = await anonymous.post(f"{PATH}/{stage.key}", json=GOOD, headers=headers)

    assert answer.status_code == 202


async def test_69_an_unknown_key_in_the_path_is_refused(anonymous, stage):
    answer = await anonymous.post(f"{PATH}/isi_unknown", json=GOOD)

    assert answer.status_code == 401
    assert "isi_unknown" not in answer.text


async def test_a_disabled_integration_may_not_send(sender, stage):
    async with stage.transactions.open() as tx:
        row = await tx.session.get_one(Integration, stage.integration.id)
        row.is_enabled = False

    answer = await sender.post(PATH, json=GOOD)

    assert answer.status_code == 403
    assert answer.json()["code"] == "integration_disabled"
    assert await stage.alerts() == []


# --- what is sent


async def test_a_refusal_says_what_is_expected(sender):
    answer = await sender.post(PATH, json={"text": "something broke"})

    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "no_alerts"
    assert "Alertmanager's webhook" in answer.json()["detail"]


# --- what operators and clients see


def rejected_so_far(reason: str) -> float:
    value = REGISTRY.get_sample_value("incident_alerts_rejected_total", {"reason": reason})
    return value or 0


async def test_rejected_alerts_are_counted_by_reason(sender):
    before = rejected_so_far("not_an_object")

    await sender.post(PATH, json={"alerts": [ALERT, 5, 6]})

    assert rejected_so_far("not_an_object") == before + 2


def test_clients_are_told_the_shape_of_the_webhook(app: FastAPI):
    operation = app.openapi()["paths"][PATH]["post"]

    shown = operation["requestBody"]["content"]["application/json"]["schema"]
    schema = app.openapi()["components"]["schemas"][shown["$ref"].rsplit("/", 1)[1]]
    assert operation["operationId"] == "ingest_alertmanager"
    assert schema["required"] == ["alerts"]
    assert set(app.openapi()["paths"][PATH]) == {"post"}
