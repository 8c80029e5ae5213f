"""What a process does once the database answers, however long that takes."""

import asyncio

import structlog

from incident_service.core.db import DATABASE_AWAY, Tx
from incident_service.core.runtime import MEASURE_EVERY_S, Runtime
from incident_service.core.stopping import stops_within
from incident_service.teams.bootstrap import ensure_bootstrap_key, ensure_fallback_contact

log = structlog.get_logger()
RETRY_S = 2.0


async def prepare(runtime: Runtime, stopping: asyncio.Event, *, with_key: bool) -> None:
    """Make what the settings ask for, and try again until it is made.

    Raises:
        DomainError: a setting cannot be used; trying again would not help.
    """
    while not stopping.is_set():
        try:
            await make_what_is_set(runtime, with_key=with_key)
        except DATABASE_AWAY as error:
            log.warning("start.waits_for_database", error=repr(error))
            await stops_within(stopping, RETRY_S)
        else:
            log.info("start.prepared")
            return


async def make_what_is_set(runtime: Runtime, *, with_key: bool) -> None:
    """Make the first admin key and the fallback contact, as far as settings name them."""
    settings = runtime.settings

    async def make_key(tx: Tx) -> None:
        if with_key and settings.bootstrap_api_key:
            await ensure_bootstrap_key(tx, settings.bootstrap_api_key.get_secret_value())

    async def make_contact(tx: Tx) -> None:
        await ensure_fallback_contact(tx, settings.fallback_contact)

    await runtime.transactions.run(make_key)
    await runtime.transactions.run(make_contact)


async def watch_clock(runtime: Runtime, stopping: asyncio.Event) -> None:
    """Follow PostgreSQL's clock for as long as the process lives."""
    while not await stops_within(stopping, MEASURE_EVERY_S):
        try:
            await runtime.measure_clock()
        except DATABASE_AWAY as error:
            log.info("clock.not_measured", error=repr(error))
