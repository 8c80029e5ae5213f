"""Which pages of other origins may call the API from a browser: none, unless they are named."""

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from incident_service.settings import Settings

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


def let_in_origins(app: FastAPI, settings: Settings) -> None:
    """Answer browsers for the origins that the settings name."""
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=METHODS,
            allow_headers=SENT,
            expose_headers=SHOWN,
        )
