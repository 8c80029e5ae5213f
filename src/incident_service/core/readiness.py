"""Ready means: this process can commit an alert. Everything else is shown as degraded."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from incident_service.core.db import Transactions
from incident_service.core.http import extra_headers

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


@router.get("/readyz", responses={503: {"description": "An alert could not be stored now."}})
async def get_readiness(request: Request) -> JSONResponse:
    """Say whether this process can commit an alert.

    A schema ahead of the code is fine: migrations run before the release that needs them. Redis
    is not asked for: without it pages are late by seconds, not lost.
    """
    problem = await why_not(request.app.state.transactions)
    body: dict[str, Any] = {"status": "ready" if problem is None else "not ready"}
    if problem is not None:
        body["reason"] = problem
        return JSONResponse(body, 503, headers=extra_headers(503))
    find: Degradations = request.app.state.degradations
    return JSONResponse(body | {"degraded": [asdict(found) for found in await find()]})


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
