"""Pure ASGI: Alertmanager's webhooks go straight to where they are taken.

Everything else, other spellings of the address included, goes the usual way, through the routes. An
answer is the same on both: only what lies between costs several times what an alert costs.
"""

from fastapi import FastAPI
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from incident_service.alerts.api.webhooks import ingest_alertmanager
from incident_service.core.clock import monotonic_s
from incident_service.web.middleware.guards import missing
from incident_service.web.middleware.request_times import observe_path
from incident_service.web.problems import render_error

PATH = "/v1/ingest/alertmanager"


def is_for(scope: Scope) -> bool:
    """Say whether this is what comes by the thousand."""
    is_http: bool = scope["type"] == "http"
    return is_http and bool(scope["path"] == PATH) and bool(scope["method"] == "POST")


async def handle(scope: Scope, receive: Receive, send: Send) -> None:
    """Handle one webhook."""
    began_s = monotonic_s()
    app: FastAPI = scope["app"]
    request = Request(scope, receive)
    try:
        response = await ingest_alertmanager(request)
    except Exception as error:  # noqa: BLE001 - each becomes the answer that it always is
        response = await render_error(app, request, error)
    response.raw_headers += missing(app.state.guards, response.raw_headers, PATH)
    await response(scope, receive, send)
    observe_path(PATH, "POST", response.status_code, monotonic_s() - began_s)
