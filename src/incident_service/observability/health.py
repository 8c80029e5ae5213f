"""Is the process alive, can it commit an alert, and what does it count?"""

import hmac

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

router = APIRouter(tags=["health"])


@router.get("/livez")
async def get_liveness() -> dict[str, str]:
    """Say that the process answers; it asks nobody else."""
    return {"status": "ok"}


@router.get("/metrics", include_in_schema=False)
async def get_metrics(request: Request) -> Response:
    """Show the metrics to Prometheus; with `METRICS_TOKEN` set, only to who sends it as Bearer."""
    token = request.app.state.settings.metrics_token
    if token is not None:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), token.get_secret_value().encode()):
            return JSONResponse({"code": "key_not_valid", "status": 401}, 401)
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
