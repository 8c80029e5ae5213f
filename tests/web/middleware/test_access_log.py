"""Each request is one log line, which says who asked for what and holds no secret."""

import base64
import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs
from tests.scenarios.test_traces import CALLER, INGEST, TRACE, webhook

from incident_service.core.ids import new_id
from incident_service.observability import logging as lines
from incident_service.observability.redaction import mask
from incident_service.settings import AccessLog, Settings
from incident_service.web.middleware.access_log import shown

Line = dict[str, Any]


@contextmanager
def captured() -> Iterator[list[Line]]:
    """The lines of requests, as they are before anything is masked."""
    requests: list[Line] = []
    with capture_logs(processors=[merge_contextvars]) as logged:
        yield requests
    requests += [dict(line) for line in logged if line["event"] == "http.request"]


async def test_a_request_is_one_line(api):
    with captured() as logged:
        answer = await api.post("/v1/teams", json={"name": "Search"}, headers=CALLER)

    (line,) = logged
    assert line.pop("duration_ms") > 0
    assert line.pop("span_id")
    assert line.pop("key_id")
    assert line.pop("key_name").startswith("key ")
    assert line == {
        "event": "http.request",
        "log_level": "info",
        "method": "POST",
        "path": "/v1/teams",
        "status": 201,
        "bytes_in": len(b'{"name":"Search"}'),
        "bytes_out": len(answer.content),
        "client": "127.0.0.1",
        "request_id": answer.headers["x-request-id"],
        "trace_id": TRACE,
    }


async def test_a_webhook_is_one_line_with_its_integration(anonymous, stage):
    with captured() as logged:
        await anonymous.post(
            INGEST, json=webhook("Disk"), headers={"Authorization": f"Bearer {stage.key}"} | CALLER
        )

    (line,) = logged
    assert (line["path"], line["status"]) == (INGEST, 202)
    assert (line["integration_id"], line["trace_id"]) == (str(stage.integration.id), TRACE)
    assert stage.key not in str(logged)


async def test_the_route_is_shown_and_never_the_path_or_the_query(api):
    with captured() as logged:
        await api.get(f"/v1/incidents/{new_id()}?text=s3cr3t")
        await api.get("/s3cr3t")

    assert [line["path"] for line in logged] == ["/v1/incidents/{incident_id}", "other"]
    assert "s3cr3t" not in str(logged)


async def test_a_key_is_shown_wherever_it_comes_nowhere(anonymous, stage):
    key, body = stage.key, webhook("Disk")
    basic = base64.b64encode(f"x:{key}".encode()).decode()
    headers: list[dict[str, str]] = [
        {"Authorization": f"Bearer {key}"},
        {"Authorization": f"Basic {basic}"},
        {"X-API-Key": key},
    ]

    with captured() as logged:
        for each in headers:
            await anonymous.post(INGEST, json=body, headers=each)
        await anonymous.post(f"{INGEST}/{key}", json=body)
        await anonymous.post(f"{INGEST}/{key}/", json=body)
        await anonymous.get(f"/v1/calendar-feeds/{key}.ics?token={key}")
        await anonymous.get(f"/a/{'x' * 22}.{'y' * 22}")

    assert [line["status"] for line in logged[:5]] == [202] * 5
    assert len(logged) == 7
    assert key not in str(logged)
    assert basic not in str(logged)
    assert "y" * 22 not in str(logged)


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
async def test_questions_for_health_are_for_those_who_debug(anonymous, path):
    with captured() as logged:
        await anonymous.get(path)

    assert [line["log_level"] for line in logged] == ["debug"]


async def test_an_error_that_nobody_expected_is_logged_as_what_was_answered(app, anonymous):
    async def break_down() -> None:
        raise RuntimeError("broken")

    app.state.measure = break_down
    with captured() as logged:
        await anonymous.get("/metrics")

    assert [line["status"] for line in logged] == [500]


async def test_a_method_that_somebody_made_up_is_not_shown(anonymous):
    with captured() as logged:
        await anonymous.request("S3CR3T", "/livez")

    assert [line["method"] for line in logged] == ["other"]


@pytest.mark.parametrize(
    ("mode", "shown_paths"),
    [
        (AccessLog.ON, ["/v1/teams", INGEST]),
        (AccessLog.NO_INGEST, ["/v1/teams"]),
        (AccessLog.OFF, []),
    ],
)
async def test_the_setting_says_which_requests_are_logged(app, api, mode, shown_paths):
    app.state.settings = Settings(_env_file=None, access_log=mode)

    with captured() as logged:
        await api.get("/v1/teams")
        await api.post(INGEST)

    assert [line["path"] for line in logged] == shown_paths


@given(st.from_regex(r"[A-Za-z0-9._:/+=@-]{1,128}", fullmatch=True) | st.uuids().map(str))
def test_an_id_is_shown_as_it_would_be_masked(request_id):
    assert shown(request_id) == mask(request_id)


@pytest.mark.parametrize("secret", ["isk_abcdefghijk", "/v1/ingest/alertmanager/abc", "a:b"])
def test_a_key_that_somebody_takes_for_an_id_is_masked(secret):
    assert shown(secret) == mask(secret)


@pytest.fixture
def stderr() -> Iterator[io.StringIO]:
    """What a process writes that has begun to log as it does in production."""
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    written = io.StringIO()
    lines.configure(level="INFO", as_json=True, stream=written)
    yield written
    lines.LINES.stream = None
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)


async def test_the_quick_way_writes_what_the_usual_way_would(anonymous, stage, stderr):
    await anonymous.post(
        INGEST, json=webhook("Disk"), headers={"Authorization": f"Bearer {stage.key}"} | CALLER
    )

    (line,) = [
        json.loads(each) for each in stderr.getvalue().splitlines() if "http.request" in each
    ]
    assert line["timestamp"].endswith("Z")
    assert line.keys() >= {"duration_ms", "request_id", "span_id", "bytes_in", "bytes_out"}
    assert (line["level"], line["status"], line["trace_id"]) == ("info", 202, TRACE)
