"""Whether a pooled connection still lives, decided as it is taken out of the pool."""

from collections.abc import Callable
from typing import Any

import asyncpg
from sqlalchemy import AdaptedConnection, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

# To ask costs three round trips. What was of use a moment ago is used again without: an end that
# PostgreSQL announces is known without asking, and one that it does not announce is rare.
TRUSTED_FOR_S = 0.5
RETURNED_AT = "incident_service.returned_at"


def replace_dead_connections(engine: AsyncEngine, monotonic: Callable[[], float]) -> None:
    """Have the pool make a new connection in place of one that was closed or does not answer."""

    @event.listens_for(engine.sync_engine, "checkin")
    def note(_connection: object, entry: ConnectionPoolEntry) -> None:
        entry.info[RETURNED_AT] = monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def check(connection: Any, entry: ConnectionPoolEntry, _proxy: PoolProxiedConnection) -> None:  # noqa: ANN401
        returned_at = entry.info.get(RETURNED_AT)
        if returned_at is None:
            return  # a new one: should it be closed already, its first statement says so
        if is_closed(connection):
            raise DisconnectionError
        if monotonic() - returned_at < TRUSTED_FOR_S:
            return
        try:
            engine.dialect.do_ping(connection)
        except (engine.dialect.loaded_dbapi.Error, asyncpg.InterfaceError, OSError) as error:
            raise DisconnectionError from error


def is_closed(connection: AdaptedConnection) -> bool:
    """Say whether asyncpg knows that the connection has ended."""
    closed: bool = connection.driver_connection.is_closed()
    return closed
