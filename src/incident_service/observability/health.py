"""Is the process alive, and what does it count? The same answers in an API and in a worker."""

import hmac
from collections.abc import Awaitable, Callable

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field

from incident_service.settings import Settings

router = APIRouter(tags=["health"])
KEY_NOT_VALID = {
    "type": "about:blank",
    "title": "Unauthorized",
    "status": 401,
    "code": "key_not_valid",
    "detail": "Send the token of METRICS_TOKEN as `Authorization: Bearer …`.",
    "errors": [],
    "request_id": None,
}

Measure = Callable[[], Awaitable[None]]
"""Brings up to date what is measured on demand; bounded in time, and it raises nothing."""


class Liveness(BaseModel):
    """That the process answers."""

    status: str = Field(description="`ok`.")


@router.get("/livez", openapi_extra={"x-errors": [500]})
async def get_liveness() -> Liveness:
    """Say that the process answers; it asks nobody else."""
    return Liveness(status="ok")


@router.get("/metrics", include_in_schema=False)
async def get_metrics(request: Request) -> Response:
    """Show the metrics to Prometheus; with `METRICS_TOKEN` set, only to who sends it as Bearer."""
    token = request.app.state.settings.metrics_token
    if token is not None:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), token.get_secret_value().encode()):
            return JSONResponse(KEY_NOT_VALID, 401, media_type="application/problem+json")
    measure: Measure = request.app.state.measure
    await measure()
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def measure_nothing() -> None:
    """Measure nothing on demand, in a process that has nothing to look at."""


def create_health_app(settings: Settings, measure: Measure) -> FastAPI:
    """Build an app of `/livez` and `/metrics` only, for a process that serves nothing else."""
    app = FastAPI(openapi_url=None, redirect_slashes=False)
    app.state.settings = settings
    app.state.measure = measure
    app.include_router(router)
    return app
