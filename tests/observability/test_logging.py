"""A log line is one JSON object, and shows no secret."""

import json
import logging
import sys

import pytest

from incident_service.observability.logging import make_formatter

KEY = "isi_gUmR_f4ZzhBdvntNX6gYJC3tcVbh4jUs2B7msrm7AIw"


def record(message: str, *arguments: object, error: BaseException | None = None):
    exc_info = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("uvicorn", logging.INFO, __file__, 1, message, arguments, exc_info)


def test_a_line_is_one_json_object():
    line = make_formatter(as_json=True).format(record("%s has started", "worker"))

    assert json.loads(line)["event"] == "worker has started"
    assert "\n" not in line


@pytest.mark.parametrize("as_json", [True, False])
def test_a_key_in_a_message_of_a_library_is_masked(as_json):
    line = make_formatter(as_json=as_json).format(record("POST /v1/ingest/alertmanager/%s", KEY))

    assert KEY not in line
    assert "alertmanager/***" in line


@pytest.mark.parametrize("as_json", [True, False])
def test_a_key_in_a_traceback_is_masked(as_json):
    try:
        raise ValueError(f"no sender has the key {KEY}")
    except ValueError:
        error = sys.exc_info()[1]

    line = make_formatter(as_json=as_json).format(record("it broke", error=error))

    assert "ValueError" in line
    assert KEY not in line
