import json

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from incident_service.core import tokens
from incident_service.observability.redaction import mask, masked, redact

KEY = "isi_Zk3-fake_fake_fake_fake_fake_fake_fake"
PIECES = st.lists(
    st.sampled_from(
        [KEY, "isk_a", "whsec_", "Bearer ", "basic ", "authorization", ": ", '"', "'", "=", "/",
         "/v1/ingest/alertmanager/", "://", "u:p@", "abcdefghijklmnopqrst", "***", " ", "\n", "x"]
    )
    | st.text(max_size=5),
    max_size=12,
).map("".join)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"key {KEY} is known", "key isi_*** is known"),
        (
            f'POST /v1/ingest/alertmanager/{KEY}/ HTTP/1.1" 202',
            'POST /v1/ingest/alertmanager/***/ HTTP/1.1" 202',
        ),
        ("/v1/ingest/alertmanager/not%20one?x=1", "/v1/ingest/alertmanager/***?x=1"),
        (
            "GET /a/InTSUZTYQjaDKtBZ7AV51Q.iRrxScZ9ioES_nZJJ-A2uw HTTP/1.1",
            "GET /a/*** HTTP/1.1",
        ),
        (
            "POST https://hooks.slack.com/services/T0/B0/XX is",
            "POST https://hooks.slack.com/*** is",
        ),
        (
            "https://api.telegram.org/bot1:A-_b/sendMessage",
            "https://api.telegram.org/bot***/sendMessage",
        ),
        ("Authorization: Bearer abc", "Authorization: ***"),
        ("{'authorization': 'Basic eDp5', 'a': 1}", "{'authorization': '***', 'a': 1}"),
        ("(b'x-api-key', b'abc')", "(b'x-api-key', b'***')"),
        ('{"X-API-Key":"abc"}', '{"X-API-Key":"***"}'),
        ("sent Bearer eyJhbGciOiJIUzI1NiJ9.e30.x", "sent Bearer ***"),
        ("postgresql://app:s3cret@db/x", "postgresql://app:***@db/x"),
        ("redis://:s3cret@cache:6379/0", "redis://:***@cache:6379/0"),
    ],
)
def test_secrets_are_masked(text, expected):
    assert mask(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "POST /v1/ingest/alertmanager 202",
        "POST /v1/incidents/018f/acknowledge",
        "basic authentication failed",
        "a token expired yesterday",
        "https://pager.example:8443/hook",
        "12:30 mail to ana@example.org",
    ],
)
def test_what_is_no_secret_stays_readable(text):
    assert mask(text) == text


@given(st.text(), st.sampled_from(["isi", "isk", "whsec"]), st.text())
def test_a_key_never_survives_wherever_it_stands(before, prefix, after):
    token = tokens.make(prefix).text

    assert token.removeprefix(f"{prefix}_") not in mask(before + token + after)


@given(PIECES)
def test_masking_twice_changes_nothing_more(text):
    once = mask(text)

    assert mask(once) == once


def test_texts_are_masked_however_deep_they_are():
    event = {"a": [{"b": ("x", KEY)}], "error": ValueError(KEY), "raw": KEY.encode(), "n": 5}

    assert masked(event) == {
        "a": [{"b": ["x", "isi_***"]}],
        "error": "ValueError('isi_***')",
        "raw": "b'isi_***'",
        "n": 5,
    }


def test_a_value_with_a_secret_name_is_masked_whatever_it_is():
    assert masked({"Authorization": ["a"], "api_key": 5}) == {"Authorization": "***", "api_key": "***"}  # fmt: skip  # noqa: E501


def test_an_event_and_its_traceback_are_written_masked():
    written = structlog.testing.CapturingLoggerFactory()
    log = structlog.wrap_logger(
        written(),
        processors=[
            structlog.processors.format_exc_info,
            redact,
            structlog.processors.JSONRenderer(),
        ],
    )

    try:
        raise ValueError(KEY)
    except ValueError:
        log.exception("failed", path=f"/v1/ingest/alertmanager/{KEY}")

    line = written.logger.calls[0].args[0]
    assert KEY not in line
    assert json.loads(line)["path"] == "/v1/ingest/alertmanager/***"
