"""HTTP: the addresses that senders post to."""

import asyncio
from collections import Counter
from functools import partial
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPBearer
from sqlalchemy.exc import IntegrityError

from incident_service.alerts import body, senders
from incident_service.alerts.adapters import PARSERS
from incident_service.alerts.incoming import Parsed
from incident_service.alerts.ingest import Outcome, Payload, ingest
from incident_service.alerts.schemas import (
    ALERTMANAGER_WEBHOOK,
    AlertOutcome,
    AlertRejection,
    IngestResult,
    json_body,
)
from incident_service.alerts.senders import Sender
from incident_service.catalog.models import IntegrationKind
from incident_service.core.db import Transactions
from incident_service.core.errors import Malformed, TooLarge, Unavailable
from incident_service.observability import metrics

log = structlog.get_logger()
router = APIRouter(tags=["ingest"])

MAX_ALERTS = 20_000
# One transaction may not hold its locks, nor a statement run, for as long as a sender waits.
ALERTS_AT_ONCE = 1_000
LISTED_ERRORS = 10
# Reading more than this takes long enough for other requests to notice; a thread does it.
HEAVY_BYTES = 256 * 1024

KEY_SCHEMES = [
    Security(HTTPBearer(auto_error=False, scheme_name="IntegrationKey", description="`isi_…`")),
    Security(APIKeyHeader(name="X-API-Key", auto_error=False, scheme_name="IntegrationKeyHeader")),
]
TAKEN: dict[str, Any] = {"status_code": 202, "response_model": IngestResult}
SHOWN: dict[str, Any] = TAKEN | {"openapi_extra": json_body(ALERTMANAGER_WEBHOOK)}
# Grafana can be told to PUT; a slash at the end must not become a redirect, which Alertmanager
# follows with an empty GET. These routes come first and do the work; those that are shown name
# one operation each.
QUIETLY: dict[str, Any] = TAKEN | {"methods": ["POST", "PUT"], "include_in_schema": False}


class NothingUsable(Malformed):
    """None of the alerts can be stored."""


class TooManyAlerts(TooLarge):
    """A webhook may hold at most 20000 alerts; set max_alerts in Alertmanager."""


class NotStored(Unavailable):
    """The alerts contradict what is stored; send them again."""


async def body_limits() -> body.Limits:
    """Return how much a sender may send."""
    return body.Limits()


BodyLimits = Annotated[body.Limits, Depends(body_limits)]


@router.post("/ingest/alertmanager", dependencies=KEY_SCHEMES, **SHOWN)
@router.api_route("/ingest/alertmanager/", **QUIETLY)
@router.api_route("/ingest/alertmanager", **QUIETLY)
async def ingest_alertmanager(request: Request, limits: BodyLimits) -> IngestResult:
    """Take a webhook of Alertmanager; 202 means that its alerts are stored.

    The integration's key comes as Bearer token, as the password of Basic, or as `X-API-Key`.
    """
    key = senders.find_key(request.headers)
    return await take(request, key, IntegrationKind.ALERTMANAGER, limits)


@router.post("/ingest/alertmanager/{integration_key}", **SHOWN)
@router.api_route("/ingest/alertmanager/{integration_key}/", **QUIETLY)
@router.api_route("/ingest/alertmanager/{integration_key}", **QUIETLY)
async def ingest_alertmanager_with_key(
    request: Request, integration_key: str, limits: BodyLimits
) -> IngestResult:
    """Take a webhook of Alertmanager from a sender that can only be given an address."""
    return await take(request, integration_key, IntegrationKind.ALERTMANAGER, limits)


async def take(
    request: Request, key: str | None, kind: IntegrationKind, limits: body.Limits
) -> IngestResult:
    """Find the sender, read the body, store its alerts."""
    transactions: Transactions = request.app.state.transactions
    sender = await senders.authenticate(transactions, key, kind)
    data = await body.read(request.stream(), request.headers, limits)
    if len(data) <= HEAVY_BYTES:
        parsed = understand(data, kind)
    else:
        parsed = await asyncio.to_thread(understand, data, kind)
    note(sender, parsed)
    return result(parsed, await store(transactions, sender, parsed))


def understand(data: bytes, kind: IntegrationKind) -> Parsed:
    """Turn a body into alerts.

    Raises:
        TooManyAlerts: storing them would take longer than the sender waits.
    """
    parsed = PARSERS[kind](body.loads(data))
    if len(parsed.alerts) > MAX_ALERTS:
        raise TooManyAlerts
    return parsed


def note(sender: Sender, parsed: Parsed) -> None:
    """Count and log what was not stored, and what the sender left out.

    Raises:
        NothingUsable: there are alerts, and not one can be stored.
    """
    reasons = Counter(refusal.code for refusal in parsed.rejected)
    for reason, count in reasons.items():
        metrics.ALERTS_REJECTED.labels(reason).inc(count)
    if parsed.rejected or parsed.truncated:
        log.warning(
            "ingest.incomplete",
            integration_id=str(sender.integration_id),
            rejected=dict(reasons),
            truncated=parsed.truncated,
        )
    if parsed.rejected and not parsed.alerts:
        first = parsed.rejected[0]
        raise NothingUsable(
            f"None of the {len(parsed.rejected)} alerts can be stored. {first.message}"
        )


async def store(transactions: Transactions, sender: Sender, parsed: Parsed) -> list[Outcome]:
    """Store the alerts, and say what became of each.

    A webhook of many alerts is stored part by part. When a later part fails, the sender hears so
    and sends all of it again, which repeats what was stored and changes nothing there.

    Raises:
        NotStored: a rule of the database was broken. Not the 409 that others get: Alertmanager
            never comes back after one, and a page that is late is better than one that is lost.
    """
    outcomes: list[Outcome] = []
    with metrics.INGEST_SECONDS.time():
        for first in range(0, len(parsed.alerts), ALERTS_AT_ONCE):
            part = parsed.alerts[first : first + ALERTS_AT_ONCE]
            payload = Payload(sender.integration_id, sender.service_id, part, sender.rules)
            try:
                (answers,) = await transactions.run(partial(ingest, payloads=[payload]))
            except IntegrityError as error:
                log.exception("ingest.broke_constraint")
                raise NotStored from error
            outcomes += answers
    return outcomes


def result(parsed: Parsed, outcomes: list[Outcome]) -> IngestResult:
    """Tell the sender what became of its alerts."""
    return IngestResult(
        accepted=len(outcomes),
        rejected=len(parsed.rejected),
        results=[AlertOutcome.model_validate(outcome) for outcome in outcomes],
        errors=[AlertRejection.model_validate(item) for item in parsed.rejected[:LISTED_ERRORS]],
    )
