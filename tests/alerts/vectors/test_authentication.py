"""A: who sends. Nothing is read, written or logged for somebody without a key."""

import base64
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import cast

import pytest
from structlog.testing import capture_logs
from tests.alerts.vectors.table import GOOD, PATH, counted, refused, row, table, webhook
from tests.alerts.vectors.wire import connected, head, request, served

from incident_service.alerts.senders import Senders, WrongProtocol
from incident_service.catalog.actions.integrations import rotate_key
from incident_service.catalog.models import IntegrationKind
from incident_service.web.problems import status_of

NOTHING = {"alerts": 0, "incidents": 0, "rejected_alerts": 0}


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def basic(credentials: str) -> str:
    return "Basic " + base64.b64encode(credentials.encode()).decode()


@table(
    refused("A1 no credentials", 401),
    refused("A1 an empty header", 401, headers={"Authorization": ""}),
    refused("A1 a scheme without credentials", 401, headers={"Authorization": "Bearer"}),
    refused("A1 an unknown scheme", 401, headers={"Authorization": "Digest x"}),
    refused("A2 an unknown key", 401, headers=bearer("isi_unknown")),
    refused("A2 an unknown key as X-API-Key", 401, headers={"X-API-Key": "isi_unknown"}),
    refused("A2 an unknown key in the path", 401, path=f"{PATH}/isi_unknown"),
    refused("A2 an unknown password", 401, headers={"Authorization": basic("any:isi_unknown")}),
    refused("A2 no base64", 401, headers={"Authorization": "Basic not-base64!"}),
    refused("A2 no ASCII", 401, headers={"Authorization": "Basic é"}),
    refused("A2 a key of NULs", 401, path=f"{PATH}/%00%00"),
)
async def test_without_a_valid_key_nothing_is_read(anonymous, stage, row):
    read: list[int] = []

    async def body() -> AsyncIterator[bytes]:
        read.append(1)
        yield GOOD

    headers = [(name, value.encode()) for name, value in row.headers.items()]
    with capture_logs() as logs:
        answer = await anonymous.post(row.path, content=body(), headers=headers)

    assert answer.status_code == row.status
    assert answer.headers["WWW-Authenticate"].startswith("Bearer, Basic")
    assert len(answer.content) <= 1024
    assert "isi_unknown" not in answer.text
    assert read == []
    # One of many alike: nobody can fill a disk with them.
    told = [line["event"] for line in logs if line["event"] != "http.request"]
    assert told in ([], ["key.refused"])
    assert "isi_unknown" not in str(logs)
    assert await counted(stage) == NOTHING


# A key is looked up by its hash, so there is nothing to compare in constant time.
@pytest.mark.parametrize(
    ("keep_minutes", "passed_minutes", "status"),
    [(0, 0, 401), (10, 9, 202), (10, 11, 401)],
    ids=["A2 revoked", "A2 still kept", "A2 expired"],
)
async def test_an_old_key_is_valid_for_as_long_as_it_is_kept(
    sender, stage, keep_minutes, passed_minutes, status
):
    await sender.post(PATH, content=webhook(alerts=[]))  # it is remembered, which must not matter
    kept = timedelta(minutes=keep_minutes)
    async with stage.transactions.open() as tx:
        await rotate_key(tx, stage.integration.id, kept, by=stage.principal)
    stage.clock.advance(minutes=passed_minutes)

    answer = await sender.post(PATH, content=GOOD)

    assert answer.status_code == status


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Authorization", "Bearer {key}"),
        ("Authorization", "Basic any:{key}"),
        ("Authorization", "Basic {key}:"),
        ("Authorization", "Basic :{key}"),
        ("Authorization", "bearer   {key}"),
        ("Authorization", "BEARER {key}"),
        ("Authorization", "Token {key}"),
        ("X-API-Key", "{key}"),
    ],
    ids=["bearer", "A3 a password", "A3 a user", "A3 a password alone", "A4 in lower case",
         "A4 in upper case", "A4 Token", "X-API-Key"],
)  # fmt: skip
async def test_a_key_is_found_where_the_sender_can_put_it(anonymous, stage, name, value):
    value = value.format(key=stage.key)
    if value.startswith("Basic "):
        value = basic(value.removeprefix("Basic "))

    await row("a key", headers={name: value}).holds(anonymous, stage)


async def test_a5_a_key_of_another_protocol_is_refused_as_such(transactions, stage):
    # There is one protocol so far; the address of another would ask like this.
    with pytest.raises(WrongProtocol) as refusal:
        await Senders(transactions).authenticate(stage.key, cast("IntegrationKind", "another"))

    assert status_of(refusal.value) == 403


async def test_a5_a_key_of_the_api_cannot_ingest(api, stage):
    await refused("an API key", 401).holds(api, stage)


async def test_a6_the_key_in_the_path_is_never_logged(app, stage, caplog):
    """Neither when all is well, nor when alerts are bad, nor when the body is."""
    caplog.set_level(logging.DEBUG)
    path = f"{PATH}/{stage.key}"
    statuses = []

    with capture_logs() as logs:
        async with served(app) as address, connected(address) as wire:
            for body in (GOOD, webhook(None, None), webhook({}, text="x", truncatedAlerts=3), b"{"):
                length = f"Content-Length: {len(body)}"
                await wire.send(head("none", length, path=path) + body)
                statuses.append((await wire.answer())[0])

    assert statuses == [202, 400, 400, 400]
    told = [line["event"] for line in logs if line["event"] != "http.request"]
    assert told == ["ingest.incomplete"] * 2
    assert stage.key not in repr(logs) + caplog.text


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (b"X-Odd: a\x00b", 400),
        (b"X-Long: " + b"x" * 1_000_000, 431),
        (b"X-Long: " + b"x" * 60_000, 202),
    ],
    ids=["A8 a NUL", "A8 a megabyte", "A8 just short enough"],
)
async def test_a_server_survives_odd_headers(app, stage, header, status):
    odd = request(stage.key, GOOD).replace(b"Host: here", b"Host: here\r\n" + header)

    async with served(app) as address:
        async with connected(address) as wire:
            try:
                await wire.send(odd)
                answered, _ = await wire.answer()
            except ConnectionError:  # it has hung up while this was still sending
                answered = status
        async with connected(address) as wire:
            await wire.send(request(stage.key, GOOD))
            afterwards, _ = await wire.answer()

    assert (answered, afterwards) == (status, 202)
