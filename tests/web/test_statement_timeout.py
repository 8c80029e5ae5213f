"""What PostgreSQL gives up because it takes too long is answered 503, and may be tried again."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from incident_service.core.db import Transactions, make_engine, make_sessions
from incident_service.main import create_app
from incident_service.settings import Settings
from incident_service.web.request import InTx

LONGEST_MS = 200


@pytest.fixture(params=["statement_timeout", "lock_timeout"])
async def hasty_engine(
    database_url: str, request: pytest.FixtureRequest
) -> AsyncIterator[AsyncEngine]:
    """Connections that give up soon; in earnest it is after some seconds."""
    engine = make_engine(database_url, pool_size=2)

    @event.listens_for(engine.sync_engine, "connect")
    def hurry(adapted: Any, _record: object) -> None:
        adapted.run_async(lambda driver: driver.execute(f"SET {request.param} = {LONGEST_MS}"))

    yield engine
    await engine.dispose()


@pytest.fixture
async def hasty(
    hasty_engine: AsyncEngine, transactions: Transactions, settings: Settings, api
) -> AsyncIterator[httpx.AsyncClient]:
    sessions = make_sessions(hasty_engine)
    app = create_app(settings, Transactions(sessions, transactions.queue, transactions.clock))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://test", headers=api.headers
    ) as client:
        yield client


async def test_a_request_that_waits_too_long_for_a_lock_is_told_to_come_back(
    hasty, stage, transactions
):
    url = f"/v1/incidents/{await incident(stage)}/acknowledge"

    async with transactions.open() as tx:
        await tx.session.execute(text("SELECT 1 FROM incidents FOR UPDATE"))
        refused = await hasty.post(url)
    done = await hasty.post(url)

    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    assert refused.headers["Retry-After"] == "5"
    assert done.status_code == 200


async def test_a_statement_that_takes_too_long_is_told_to_come_back(settings, transactions):
    app = create_app(settings, transactions)

    @app.get("/slow")
    async def be_slow(tx: InTx) -> None:
        await tx.session.execute(text(f"SET LOCAL statement_timeout = {LONGEST_MS}"))
        await tx.session.execute(text("SELECT pg_sleep(30)"))

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get("/slow")

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["Retry-After"] == "5"


async def incident(stage: Any) -> Any:
    await stage.fire("Disk")
    return (await stage.incident()).id
