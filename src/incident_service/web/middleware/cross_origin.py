"""Which pages of other origins may call the API from a browser: none, unless they are named."""

from http import HTTPStatus

from fastapi import FastAPI, Response
from fastapi.middleware.cors import CORSMiddleware
from starlette.datastructures import Headers

from incident_service.core.errors import Malformed
from incident_service.settings import Settings
from incident_service.web.problems import answer_of

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
SENT = (
    "Authorization",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Last-Event-ID",
    "X-Request-ID",
    "traceparent",
    "tracestate",
)
SHOWN = (
    "ETag",
    "Link",
    "RateLimit-Limit",
    "RateLimit-Remaining",
    "RateLimit-Reset",
    "Retry-After",
    "X-Request-ID",
    "Idempotency-Replayed",
    "Deprecation",
    "Sunset",
)


class CrossOriginRefused(Malformed):
    """Pages of this origin may not call the API in this way; CORS_ORIGINS names those that may."""


class CrossOrigin(CORSMiddleware):
    """Answers browsers, and refuses in the words of the API."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """Say what a page may send, before its browser sends it."""
        answer = super().preflight_response(request_headers)
        if answer.status_code < HTTPStatus.BAD_REQUEST:
            return answer
        refused = answer_of(CrossOriginRefused())
        refused.headers["Vary"] = answer.headers["Vary"]
        return refused


def let_in_origins(app: FastAPI, settings: Settings) -> None:
    """Answer browsers for the origins that the settings name."""
    if settings.cors_origins:
        app.add_middleware(
            CrossOrigin,
            allow_origins=settings.cors_origins,
            allow_methods=METHODS,
            allow_headers=SENT,
            expose_headers=SHOWN,
        )
