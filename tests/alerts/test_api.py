import asyncio
import base64
import gzip
import json
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import REGISTRY
from tests.fakes import FrozenClock, RememberingQueue
from tests.stage import Stage

from incident_service.alerts.adapters import alertmanager
from incident_service.alerts.intake import ALERTS_AT_ONCE, HEAVY_BYTES, Intake, NotStored
from incident_service.alerts.limits import DEFAULT, Limits
from incident_service.alerts.senders import Sender, Senders, WrongProtocol
from incident_service.catalog.models import Integration, IntegrationKind
from incident_service.core.db import Transactions, make_engine, make_sessions
from incident_service.core.http import status_of
from incident_service.core.ids import new_id
from incident_service.main import create_app

PATH = "/v1/ingest/alertmanager"
PAYLOADS = sorted((Path(__file__).parent / "payloads").glob("*.json"))
ALERT: dict[str, Any] = {
    "status": "firing",
    "labels": {"alertname": "DiskFull", "severity": "critical"},
    "annotations": {"summary": "The disk is full"},
    "startsAt": "2026-11-02T11:59:00Z",
}
GOOD: dict[str, Any] = {"version": "4", "status": "firing", "alerts": [ALERT]}


@pytest.fixture
async def sender(anonymous: httpx.AsyncClient, stage: Stage) -> httpx.AsyncClient:
    """A client with the key of the stage's integration."""
    anonymous.headers["Authorization"] = f"Bearer {stage.key}"
    return anonymous


def dumps(document: Any) -> bytes:
    return json.dumps(document).encode()


def replaced(old: str, new: str | bytes) -> bytes:
    """The good payload with some of its bytes replaced."""
    return dumps(GOOD).replace(old.encode(), new if isinstance(new, bytes) else new.encode())


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


async def test_a_payload_without_a_usable_alert_is_refused_in_few_words(sender, stage):
    answer = await sender.post(PATH, json={"alerts": [{"status": "firing"}] * 10_000})

    assert answer.status_code == 400
    assert answer.json()["code"] == "nothing_usable"
    assert "10000" in answer.json()["detail"]
    assert len(answer.content) < 1024


async def test_more_alerts_than_can_be_stored_at_once_are_refused_whole(sender, stage):
    answer = await sender.post(
        PATH, json={"alerts": [{"labels": {"a": "b"}}] * (DEFAULT.alerts + 1)}
    )

    assert answer.status_code == 413
    assert await stage.alerts() == []


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


@pytest.mark.parametrize(
    "content_type",
    [None, "text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-8",
     "application/vnd.x+json", "nonsense"],
)  # fmt: skip
async def test_json_is_read_whatever_it_is_called(sender, content_type):
    headers = {"Content-Type": content_type} if content_type else {}

    answer = await sender.post(PATH, content=dumps(GOOD), headers=headers)

    assert answer.status_code == 202


@pytest.mark.parametrize(
    ("encoding", "content", "status"),
    [
        ("gzip", gzip.compress(dumps(GOOD), mtime=0), 202),
        ("deflate", zlib.compress(dumps(GOOD)), 202),
        ("identity", dumps(GOOD), 202),
        ("gzip", dumps(GOOD), 202),
        ("gzip", b"no JSON", 400),
        ("gzip", gzip.compress(dumps(GOOD), mtime=0)[:-20], 400),
        ("br", dumps(GOOD), 415),
        ("unknown", dumps(GOOD), 415),
    ],
)
async def test_a_packed_body_is_unpacked_or_refused(sender, stage, encoding, content, status):
    answer = await sender.post(PATH, content=content, headers={"Content-Encoding": encoding})

    assert answer.status_code == status
    assert len(await stage.alerts()) == (1 if status == 202 else 0)


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("path", [PATH, f"{PATH}/", "{key}", "{key}/"])
async def test_post_and_put_work_with_and_without_a_slash(sender, stage, method, path):
    path = path.replace("{key}", f"{PATH}/{stage.key}")

    answer = await sender.request(method, path, json=GOOD)

    assert answer.status_code == 202


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", [PATH, f"{PATH}/", f"{PATH}/some-key"])
async def test_other_methods_are_told_which_ones_work(sender, method, path):
    answer = await sender.request(method, path)

    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == {"POST", "PUT"}
    assert len(answer.content) < 1024


async def test_a_body_announced_as_too_large_is_refused(sender, stage):
    headers = {"Content-Length": str(20_000_000)}

    answer = await sender.post(PATH, content=in_pieces(dumps(GOOD)), headers=headers)

    assert answer.status_code == 413
    assert await stage.alerts() == []


async def test_a_body_that_turns_out_too_large_is_refused(app, transactions, sender, stage):
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


async def test_an_alert_is_stored_while_the_queue_is_down(sender, stage, queue: RememberingQueue):
    queue.down = True

    answer = await sender.post(PATH, json=GOOD)

    assert answer.status_code == 202
    assert len(await stage.incidents()) == 1


async def test_an_integration_that_goes_away_meanwhile_loses_no_alert(transactions, stage):
    parsed = alertmanager.read(dumps(GOOD))
    gone = Sender(new_id(), stage.service.id)

    with pytest.raises(NotStored) as refused:
        await Intake(transactions).fold(gone, parsed.alerts)

    assert status_of(refused.value) == 503


async def test_without_a_database_the_sender_is_asked_to_come_back(settings):
    sessions = make_sessions(make_engine("postgresql+asyncpg://nobody@127.0.0.1:1/nothing"))
    app = create_app(settings, Transactions(sessions, RememberingQueue(), FrozenClock()))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)

    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.post(f"{PATH}/some-key", json=GOOD)

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert len(answer.content) < 1024


# --- who sends


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Authorization", "Bearer {key}"),
        ("Authorization", "bearer   {key}"),
        ("Authorization", "BEARER {key}"),
        ("Authorization", "Token {key}"),
        ("Authorization", "basic any:{key}"),
        ("Authorization", "basic :{key}"),
        ("Authorization", "basic {key}:"),
        ("X-API-Key", "{key}"),
    ],
)
async def test_a_key_is_found_where_the_sender_can_put_it(anonymous, stage, name, value):
    value = value.format(key=stage.key)
    value = basic(value.removeprefix("basic ")) if value.startswith("basic ") else value

    answer = await anonymous.post(PATH, json=GOOD, headers={name: value})

    assert answer.status_code == 202


async def test_a_key_in_the_path_wins_over_the_credentials_of_a_proxy(anonymous, stage):
    headers = {"Authorization": basic("proxy:password")}

    answer = await anonymous.post(f"{PATH}/{stage.key}", json=GOOD, headers=headers)

    assert answer.status_code == 202


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer isi_unknown"},
        {"Authorization": "Bearer"},
        {"Authorization": ""},
        {"Authorization": "Digest x"},
        {"Authorization": "Basic not-base64!"},
        {"Authorization": "Basic é"},
        {"Authorization": basic("only-a-user")},
        {"X-API-Key": "isi_unknown"},
        {"X-API-Key": " "},
    ],
)
async def test_without_a_valid_key_nothing_is_read(anonymous, stage, headers):
    read = []

    async def body() -> AsyncIterator[bytes]:
        read.append(1)
        yield dumps(GOOD)

    encoded = {name: value.encode() for name, value in headers.items()}
    answer = await anonymous.post(PATH, content=body(), headers=encoded)

    assert answer.status_code == 401
    assert read == []
    assert answer.headers["WWW-Authenticate"].startswith("Bearer, Basic")
    assert len(answer.content) < 1024


async def test_an_unknown_key_in_the_path_is_refused(anonymous, stage):
    answer = await anonymous.post(f"{PATH}/isi_unknown", json=GOOD)

    assert answer.status_code == 401
    assert "isi_unknown" not in answer.text


async def test_an_api_key_cannot_ingest(api, stage):
    answer = await api.post(PATH, json=GOOD)

    assert answer.status_code == 401


async def test_a_disabled_integration_may_not_send(sender, stage):
    async with stage.transactions.open() as tx:
        row = await tx.session.get_one(Integration, stage.integration.id)
        row.is_enabled = False

    answer = await sender.post(PATH, json=GOOD)

    assert answer.status_code == 403
    assert answer.json()["code"] == "integration_disabled"
    assert await stage.alerts() == []


async def test_an_integration_of_another_protocol_may_not_send_here(transactions, stage):
    with pytest.raises(WrongProtocol):
        await Senders(transactions).authenticate(stage.key, cast("IntegrationKind", "another"))


# --- what is sent

REPEATED_STATUS = '"status": "firing", "status": "resolved"'


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (dumps(GOOD)[:-10], 400),
        (dumps(GOOD) + b" trailing", 400),
        (dumps(GOOD) + b"\n" + dumps(GOOD), 400),
        (b"null", 400),
        (b'"x"', 400),
        (b"5", 400),
        (b"true", 400),
        (dumps([ALERT]), 202),
        (dumps([5]), 400),
        (b"\xef\xbb\xbf" + dumps(GOOD), 202),
        (dumps(GOOD).decode().encode("utf-16"), 400),
        (replaced("disk is", b"caf\xe9 is"), 202),
        (replaced('"4"', "NaN"), 202),
        (replaced('"4"', "1e999"), 202),
        (replaced('"4"', "9" * 5000), 202),
        (replaced('"4"', str(2**70)), 202),
        (replaced('"4"', "[" * 200 + "]" * 200), 202),
        (b"[" * 100_000, 400),
        (replaced('"status": "firing"', REPEATED_STATUS), 202),
        (replaced('"severity": "critical"', '"severity": "low", "Severity": "high"'), 202),
        (replaced("DiskFull", "\\ud800 and \\u0000"), 202),
        (replaced("disk", "{0.__class__} %s {{ 7*7 }} ${jndi:x} '; DROP TABLE x <script>"), 202),
        (replaced("severity", "__proto__"), 202),
    ],
)
async def test_json_that_can_be_understood_is_stored(sender, stage, content, status):
    answer = await sender.post(PATH, content=content)

    assert answer.status_code == status
    assert len(await stage.alerts()) == (1 if status == 202 else 0)
    assert len(answer.content) < 1024


async def test_a_flood_of_labels_costs_no_other_alert(sender, stage):
    flood = {f"l{number}": "" for number in range(100_000)}

    answer = await sender.post(PATH, content=dumps({"alerts": [{"labels": flood}, ALERT]}))

    assert answer.status_code == 202
    assert max(len(alert.labels) for alert in await stage.alerts()) == 64


@pytest.mark.parametrize(
    ("document", "status", "stored"),
    [
        ({}, 400, 0),
        ({"alerts": []}, 202, 0),
        ({"alerts": None}, 202, 0),
        ({"alerts": {}}, 400, 0),
        ({"alerts": "x"}, 400, 0),
        ({"alerts": [None, 5, "x", ALERT]}, 202, 1),
        (GOOD | {"version": "3"}, 202, 1),
        (GOOD | {"version": 4}, 202, 1),
        ({"alerts": [ALERT]}, 202, 1),
        (GOOD | {"groupKey": 5615590933959184469}, 202, 1),
        (GOOD | {"groupKey": "k" * 100_000}, 202, 1),
        (GOOD | {"commonLabels": None, "groupLabels": []}, 202, 1),
        (GOOD | {"status": "resolved"}, 202, 1),
        (GOOD | {"numFiring": 1, "appVersion": "12", "notification_reason": "new"}, 202, 1),
        (GOOD | {"truncatedAlerts": 37}, 202, 1),
        ({"evalMatches": [], "ruleId": 1, "state": "alerting"}, 400, 0),
        ({"text": "something broke"}, 400, 0),
        (GOOD | {"receiver": "web\\.hook"}, 202, 1),
    ],
)
async def test_an_envelope_of_any_version_is_stored(sender, stage, document, status, stored):
    answer = await sender.post(PATH, json=document)

    assert answer.status_code == status
    assert len(await stage.alerts()) == stored


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

    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    assert operation["operationId"] == "ingest_alertmanager"
    assert schema["required"] == ["alerts"]
    assert set(app.openapi()["paths"][PATH]) == {"post"}
