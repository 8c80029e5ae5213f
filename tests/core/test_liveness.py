"""A pooled connection that has ended costs nobody an error."""

from typing import Any

import pytest
from sqlalchemy import AdaptedConnection, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.waiting import eventually

from incident_service.core.db import make_engine
from incident_service.core.liveness import is_closed


async def backend_of(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        return int((await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one())


async def test_connection_that_was_ended_is_replaced(
    engine: AsyncEngine, database_url: str
) -> None:
    pooled = make_engine(database_url, pool_size=1)
    first = await backend_of(pooled)
    async with pooled.connect() as connection:
        raw = await connection.get_raw_connection()
        held: Any = raw.dbapi_connection
    async with engine.connect() as other:
        await other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": first})

    async def is_noticed() -> bool:
        return is_closed(held)

    await eventually(is_noticed, "asyncpg to notice that the connection has ended")
    assert await backend_of(pooled) != first
    await pooled.dispose()


async def test_connection_that_lives_is_kept(database_url: str) -> None:
    pooled = make_engine(database_url, pool_size=1)
    assert await backend_of(pooled) == await backend_of(pooled)
    await pooled.dispose()


async def test_connection_that_lay_idle_is_asked_and_kept(database_url: str) -> None:
    now_s = 100.0
    pooled = make_engine(database_url, pool_size=1, monotonic=lambda: now_s)
    first = await backend_of(pooled)
    now_s += 3600
    assert await backend_of(pooled) == first
    await pooled.dispose()


async def test_a_database_that_goes_at_once_is_an_error_of_the_database(database_url: str) -> None:
    """Not of the pool, which would be nobody's to try again."""
    pooled = make_engine(database_url, pool_size=1)

    @event.listens_for(pooled.sync_engine, "connect")
    def go(adapted: AdaptedConnection, _record: object) -> None:
        adapted.run_async(lambda connection: connection.close())

    with pytest.raises(DBAPIError):
        await backend_of(pooled)
    await pooled.dispose()
