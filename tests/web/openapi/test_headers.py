"""The document says which headers answers have."""

import pytest
from tests.openapi import document

PATHS = document()["paths"]


@pytest.mark.parametrize(
    ("method", "path", "status", "expected"),
    [
        ("get", "/v1/teams", "200", {"X-Request-ID", "RateLimit-Limit", "Link"}),
        ("post", "/v1/teams", "201", {"X-Request-ID", "ETag", "Idempotency-Replayed"}),
        ("post", "/v1/teams", "409", {"Retry-After"}),
        ("get", "/v1/teams", "429", {"Retry-After", "RateLimit-Reset"}),
        ("get", "/v1/teams", "500", {"X-Request-ID"}),
        ("get", "/livez", "200", {"X-Request-ID"}),
    ],
)
def test_answers_have_the_headers_that_callers_read(method, path, status, expected):
    assert expected <= set(PATHS[path][method]["responses"][status]["headers"])


def test_what_is_never_limited_shows_no_limits():
    responses = PATHS["/v1/ingest/alertmanager"]["post"]["responses"]

    assert not [name for name in responses["202"]["headers"] if name.startswith("RateLimit")]
