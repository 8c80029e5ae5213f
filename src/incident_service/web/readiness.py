"""Ready means: this process can commit an alert. Everything else is shown as degraded."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import APIRouter, Request
from pydantic import Field
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from incident_service.core.db import Transactions
from incident_service.core.errors import Unavailable
from incident_service.web.fields import Response
from incident_service.web.openapi.errors import only

router = APIRouter(tags=["health"])
PATIENCE_S = 2.0
CAN_COMMIT = text("SELECT NOT pg_is_in_recovery() FROM alembic_version LIMIT 1")


@dataclass(frozen=True, slots=True)
class Degradation:
    """Something that does not keep alerts from being stored, and that an operator should know."""

    code: str
    detail: str


Degradations = Callable[[], Awaitable[list[Degradation]]]
"""Finds what is degraded at the moment. `main` passes it in as `app.state.degradations`."""


class DegradationRead(Response):
    """Something that an operator should know, and that keeps no alert from being stored."""

    code: str = Field(
        description="An open set: queue_down, overdue, canary_stale, lateness_unknown, "
        "addresses_unreadable, clock_offset, …"
    )
    detail: str


class Readiness(Response):
    """That this process can commit an alert, and what is wrong besides."""

    status: str = Field(description="`ready`.")
    degraded: list[DegradationRead]


class NotReady(Unavailable):
    """An alert could not be stored now."""


@router.get("/readyz", openapi_extra=only(500, 503))
async def get_readiness(request: Request) -> Readiness:
    """Say whether this process can commit an alert.

    A schema ahead of the code is fine: migrations run before the release that needs them. Redis
    is not asked for: without it pages are late by seconds, not lost.
    """
    reason = await why_not(request.app.state.transactions)
    if reason is not None:
        raise NotReady(reason)
    find: Degradations = request.app.state.degradations
    degraded = [DegradationRead.model_validate(found) for found in await find()]
    return Readiness(status="ready", degraded=degraded)


async def nothing_degraded() -> list[Degradation]:
    """Find nothing, in a process that has nothing to look at."""
    return []


async def why_not(transactions: Transactions) -> str | None:
    """Return why an alert could not be committed now, or None."""
    try:
        async with asyncio.timeout(PATIENCE_S), transactions.sessions() as session:
            can_commit = (await session.execute(CAN_COMMIT)).scalar()
    except TimeoutError:
        return "the database does not answer in time"
    except DBAPIError:
        return "the database cannot be reached, or is not migrated"
    except (SQLAlchemyError, OSError):
        return "the database cannot be reached"
    if can_commit is None:
        return "the database is not migrated: run `incident-service migrate`"
    return None if can_commit else "the database is a read-only standby"
