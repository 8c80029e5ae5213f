"""T: how a webhook arrives, over ASGI where that is the same, over a socket where it is not."""

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from itertools import chain

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from tests.alerts.vectors.table import GOOD, PATH, counted, refused, row, table, webhook
from tests.alerts.vectors.wire import connected, head, request, served
from tests.fakes import FrozenClock, RememberingQueue
from tests.stage import Stage
from tests.waiting import eventually

from incident_service.alerts.intake import Intake
from incident_service.alerts.limits import DEFAULT, Limits
from incident_service.catalog.models import IntegrationKind
from incident_service.core.clock import monotonic_s
from incident_service.core.db import Transactions, make_engine, make_sessions
from incident_service.main import create_app

GZIP = {"Content-Encoding": "gzip"}
PACKED = gzip.compress(GOOD, mtime=0)
NO_DATABASE = "postgresql+asyncpg://nobody@127.0.0.1:1/nothing"


@table(
    row("T1 no content type"),
    row("T2 text", headers={"Content-Type": "text/plain"}),
    row("T2 a form, says curl", headers={"Content-Type": "application/x-www-form-urlencoded"}),
    row("T3 with a charset", headers={"Content-Type": "application/json; charset=utf-8"}),
    row("T3 a vendor's type", headers={"Content-Type": "application/vnd.x+json"}),
    row("T3 nonsense", headers={"Content-Type": "nonsense"}),
    row("T4 gzip", PACKED, headers=GZIP),
    row("T4 deflate", zlib.compress(GOOD), headers={"Content-Encoding": "deflate"}),
    refused("T6 br", 415, headers={"Content-Encoding": "br"}, says="gzip"),
    refused("T6 unknown", 415, headers={"Content-Encoding": "unknown"}, says="gzip"),
    refused("T6 packed twice", 415, headers={"Content-Encoding": "gzip, gzip"}, says="gzip"),
    row("T7 plain, whatever the header says", headers=GZIP),
    refused("T7 neither packed nor JSON", 400, b"plain", headers=GZIP),
    refused("T8 truncated gzip", 400, PACKED[:-20], headers=GZIP),
    refused("T8 truncated JSON", 400, GOOD[:-10]),
    refused("T9 announced as too long", 413, headers={"Content-Length": "20000000"}),
    refused("T11 empty", 400, b"", says="empty"),
    row("T12 PUT", method="PUT"),
    row("T12 PUT, the key in the path", method="PUT", path=f"{PATH}/{{key}}"),
    refused("T13 GET", 405, method="GET"),
    refused("T13 HEAD", 405, method="HEAD"),
    refused("T13 GET, a key in the path", 405, method="GET", path=f"{PATH}/some-key"),
    row("T14 a slash at the end", path=f"{PATH}/"),
    row("T14 a slash after the key", path=f"{PATH}/{{key}}/"),
    row("T14 PUT, a slash at the end", method="PUT", path=f"{PATH}/"),
)
async def test_a_webhook_is_taken_however_it_is_wrapped(sender, stage, row):
    answer = await row.holds(sender, stage)

    if row.status == 405:
        assert answer.headers["Allow"] == "OPTIONS, POST, PUT"


# --- over a socket


@pytest.fixture
async def address(app, stage):
    async with served(app) as address:
        yield address


async def send_one(address, key: str, body: bytes = GOOD) -> int:
    """Send as a well-behaved client does."""
    async with connected(address) as wire:
        await wire.send(request(key, body))
        status, _ = await wire.answer()
    return status


async def test_t5_a_bomb_is_refused_without_being_kept(address, stage):
    bomb = gzip.compress(b"[" + b" " * DEFAULT.bytes_unpacked, mtime=0)
    tracemalloc.start()
    try:
        async with connected(address) as wire:
            await wire.send(request(stage.key, bomb, "Content-Encoding: gzip"))
            status, _ = await wire.answer()
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert status == 413
    assert most < 8 * 1024 * 1024
    assert await stage.alerts() == []


async def test_t8_a_connection_that_is_cut_in_mid_body_leaves_nothing(address, stage):
    async with connected(address) as wire:
        await wire.send(head(stage.key, f"Content-Length: {len(GOOD)}"), GOOD[:-10])

    status = await send_one(address, stage.key, webhook(alerts=[]))
    assert status == 202
    assert await stage.alerts() == []


async def test_t9_what_is_announced_as_too_long_is_refused_before_it_comes(address, stage):
    async with connected(address) as wire:
        await wire.send(head(stage.key, "Content-Length: 20000000"))
        status, answer = await wire.answer()

        assert status == 413
        assert b"max_alerts" in answer  # what the sender can do about it
        assert await wire.is_closed()


async def test_t10_what_turns_out_too_long_is_refused_at_the_bound(app, address, stage):
    app.state.intake = Intake(stage.transactions, Limits(bytes_sent=100_000))
    chunk = b"4000\r\n" + b" " * 0x4000 + b"\r\n"

    async with connected(address) as wire:
        await wire.send(head(stage.key, "Transfer-Encoding: chunked"), *[chunk] * 7)
        status, _ = await wire.answer()

        assert status == 413
        assert await wire.is_closed()


async def test_t15_a_slow_client_hears_408_and_holds_nobody_up(app, address, stage):
    app.state.intake = Intake(stage.transactions, Limits(wait_s=0.4))

    async with connected(address) as slow:
        await slow.send(head(stage.key, f"Content-Length: {len(GOOD)}"), GOOD[:1])
        began_s = monotonic_s()
        meanwhile = await send_one(address, stage.key)
        took_s = monotonic_s() - began_s
        await slow.send(GOOD[1:2])
        status, _ = await slow.answer()

        assert (meanwhile, status) == (202, 408)
        assert took_s < 0.4
        assert await slow.is_closed()


async def test_t16_what_was_sent_whole_is_stored_though_nobody_waits_for_the_answer(address, stage):
    # A sender that is known. Of one that has to be looked up first the server may see that it
    # hung up before anybody has asked for the body; its next attempt is stored.
    await send_one(address, stage.key, webhook(alerts=[]))

    async with connected(address) as wire:
        await wire.send(request(stage.key, GOOD))

    async def is_stored() -> bool:
        return len(await stage.alerts()) == 1

    await eventually(is_stored, "the alert")
    assert await send_one(address, stage.key) == 202
    assert await counted(stage) == {"alerts": 1, "incidents": 1, "rejected_alerts": 0}


async def test_t20_a_client_may_ask_before_it_sends_the_body(address, stage):
    expecting = ("Expect: 100-continue", f"Content-Length: {len(GOOD)}")

    async with connected(address) as wire:
        await wire.send(head(stage.key, *expecting))
        first, _ = await wire.answer()
        await wire.send(GOOD)
        second, _ = await wire.answer()

    assert (first, second) == (100, 202)


async def test_t20_without_a_key_it_is_told_not_to_send_the_body(address, stage):
    async with connected(address) as wire:
        await wire.send(head("isi_unknown", "Expect: 100-continue", "Content-Length: 5"))
        status, _ = await wire.answer()

    assert status == 401


async def test_t20_a_connection_takes_a_thousand_webhooks(address, stage):
    nothing = request(stage.key, webhook(alerts=[]))
    statuses = set()

    async with connected(address) as wire:
        for number in range(1000):
            await wire.send(request(stage.key, GOOD) if number == 500 else nothing)
            statuses.add((await wire.answer())[0])

    assert statuses == {202}
    assert len(await stage.alerts()) == 1


# --- what the service needs is away; whole outages are in tests/outages


async def test_t17_without_a_database_the_sender_is_asked_to_come_back(settings):
    sessions = make_sessions(make_engine(NO_DATABASE))
    app = create_app(settings, Transactions(sessions, RememberingQueue(), FrozenClock()))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    began_s = monotonic_s()

    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.post(f"{PATH}/some-key", content=GOOD)

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert monotonic_s() - began_s < 2
    assert len(answer.content) <= 1024


async def test_t18_without_redis_an_alert_is_stored_and_its_climb_goes_on(sender, stage, queue):
    queue.down = True

    answer = await sender.post(PATH, content=GOOD)
    await stage.wait(5)

    assert answer.status_code == 202
    assert await stage.told(await stage.incident()) == ["First", "Second"]


async def test_t19_without_a_free_connection_it_is_503(app, sender, stage, database_url):
    engine = create_async_engine(database_url, pool_size=1, max_overflow=0, pool_timeout=0.1)
    scarce = Transactions(make_sessions(engine), stage.transactions.queue, stage.clock)
    app.state.intake = Intake(scarce)
    try:
        async with engine.connect():
            answer = await sender.post(PATH, content=GOOD)
    finally:
        await engine.dispose()

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert await stage.alerts() == []


async def test_t21_fifty_copies_at_once_are_one_incident(stage, database_url):
    """Five processes, as it were; nobody is refused, and nobody met a deadlock."""
    engines = [make_engine(database_url, pool_size=4) for _ in range(5)]
    before = await deadlocks(stage)

    answers = await asyncio.gather(*(send_ten(engine, stage) for engine in engines))
    for engine in engines:
        await engine.dispose()  # a connection that ends hands in what it has counted

    (stored,) = await stage.alerts()
    assert sorted(chain(*answers)) == ["opened"] + ["repeated"] * 49
    assert stored.received_count == 50
    assert await counted(stage) == {"alerts": 1, "incidents": 1, "rejected_alerts": 0}
    assert await deadlocks(stage) == before


async def send_ten(engine: AsyncEngine, stage: Stage) -> list[str]:
    """Send the webhook ten times at once to one process; return the outcomes."""
    intake = Intake(Transactions(make_sessions(engine), RememberingQueue(), stage.clock))
    taken = (
        intake.take(stage.key, IntegrationKind.ALERTMANAGER, {}, in_pieces(GOOD)) for _ in range(10)
    )
    return [outcome.outcome for _, (outcome,) in await asyncio.gather(*taken)]


async def in_pieces(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def deadlocks(stage: Stage) -> int:
    async with stage.transactions.open() as tx:
        found: int = await tx.session.scalar(
            text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        )
    return found
