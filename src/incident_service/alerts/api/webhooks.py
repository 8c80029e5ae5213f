"""HTTP: the addresses that senders post to."""

from typing import Any

from fastapi import APIRouter, Request, Response, Security
from fastapi.security import APIKeyHeader, HTTPBasic, HTTPBearer

from incident_service.alerts import senders
from incident_service.alerts.incoming import Parsed
from incident_service.alerts.ingest import Outcome
from incident_service.alerts.intake import Intake
from incident_service.alerts.schemas import IngestResult, json_body
from incident_service.catalog.models import IntegrationKind
from incident_service.core.compact_json import encode
from incident_service.web.openapi import errors

router = APIRouter(tags=["ingest"])

LISTED_ERRORS = 10


class Password(HTTPBasic):
    """A way to send the key that is only described here: `senders.find_key` reads it."""

    async def __call__(self, _request: Request) -> None:  # type: ignore[override]  # reads nothing
        """Leave the header alone: FastAPI would refuse what `find_key` can read."""


KEY_SCHEMES = [
    Security(
        HTTPBearer(
            auto_error=False,
            scheme_name="IntegrationKey",
            description="An integration's key, `isi_…`, which can only ingest.",
        )
    ),
    Security(
        Password(
            auto_error=False,
            scheme_name="IntegrationKeyAsPassword",
            description="An integration's key as the password; the user name is not looked at.",
        )
    ),
    Security(
        APIKeyHeader(
            name="X-API-Key",
            auto_error=False,
            scheme_name="IntegrationKeyHeader",
            description="An integration's key, where a proxy needs `Authorization` for itself.",
        )
    ),
]
TAKEN: dict[str, Any] = {"status_code": 202, "response_model": IngestResult}
# Never 429, nor 409: Alertmanager tries again after 5xx only.
REFUSALS = errors.only(400, 401, 403, 408, 413, 415, 500, 503)
SHOWN: dict[str, Any] = TAKEN | {"openapi_extra": json_body("AlertmanagerWebhook") | REFUSALS}
# Grafana can be told to PUT; a slash at the end must not become a redirect, which Alertmanager
# follows with an empty GET. These routes come first and do the work; those that are shown name
# one operation each.
QUIETLY: dict[str, Any] = TAKEN | {"methods": ["POST", "PUT"], "include_in_schema": False}


@router.post("/ingest/alertmanager", dependencies=KEY_SCHEMES, **SHOWN)
@router.api_route("/ingest/alertmanager/", **QUIETLY)
@router.api_route("/ingest/alertmanager", **QUIETLY)
async def ingest_alertmanager(request: Request) -> Response:
    """Take a webhook of Alertmanager; 202 means that its alerts are stored.

    The integration's key comes as Bearer token, as the password of Basic, or as `X-API-Key`.
    """
    return await take(request, senders.find_key(request.headers), IntegrationKind.ALERTMANAGER)


@router.post("/ingest/alertmanager/{integration_key}", **SHOWN)
@router.api_route("/ingest/alertmanager/{integration_key}/", **QUIETLY)
@router.api_route("/ingest/alertmanager/{integration_key}", **QUIETLY)
async def ingest_alertmanager_with_key(request: Request, integration_key: str) -> Response:
    """Take a webhook of Alertmanager from a sender that can only be given an address.

    The key in the path is the integration's; whoever sees the address can send.
    """
    return await take(request, integration_key, IntegrationKind.ALERTMANAGER)


async def take(request: Request, key: str | None, kind: IntegrationKind) -> Response:
    """Have the webhook stored, and say what became of its alerts."""
    intake: Intake = request.app.state.intake
    parsed, outcomes = await intake.take(key, kind, request.headers, request.stream())
    return Response(as_json(parsed, outcomes), 202, media_type="application/json")


def as_json(parsed: Parsed, outcomes: list[Outcome]) -> bytes:
    """Return an `IngestResult`, without the detour by its model: there are many of these."""
    return encode(
        {
            "accepted": len(outcomes),
            "rejected": len(parsed.rejected),
            "results": [
                {
                    "fingerprint": outcome.fingerprint,
                    "outcome": outcome.outcome,
                    "incident_id": str(outcome.incident_id) if outcome.incident_id else None,
                }
                for outcome in outcomes
            ],
            "errors": [
                {"index": refusal.index, "code": refusal.code, "message": refusal.message}
                for refusal in parsed.rejected[:LISTED_ERRORS]
            ],
        }
    )
