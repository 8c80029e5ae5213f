"""Whatever comes in: never our fault, few words, and nothing in the log that wakes an operator."""

import gzip
import json
import logging
import zlib

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs
from tests.alerts.strategies import mutated, odd_webhooks, webhooks
from tests.alerts.vectors.table import PATH, require_few_words

PACKINGS = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "deflate": zlib.compress,
    "identity": bytes,
}
HEADERS = st.sampled_from(["", "gzip", "deflate", "identity", "br", "gzip, gzip"]) | st.text(
    st.characters(max_codepoint=255, exclude_characters="\0\r\n"), max_size=10
)
WHOLE = (webhooks() | odd_webhooks()).map(lambda document: json.dumps(document).encode())
PLAIN = st.binary(max_size=300) | WHOLE | mutated(WHOLE)
PACKED = st.tuples(PLAIN, st.sampled_from(sorted(PACKINGS))).map(
    lambda drawn: PACKINGS[drawn[1]](drawn[0])
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(body=PLAIN | PACKED | mutated(PACKED), encoding=HEADERS)
async def test_any_bytes_are_taken_or_refused_in_words(sender, caplog, body, encoding):
    with capture_logs() as logs:
        answer = await sender.post(
            PATH, content=body, headers=[(b"Content-Encoding", encoding.encode("latin-1"))]
        )

    event(str(answer.status_code))
    assert answer.status_code in (202, 400, 415)
    require_few_words(answer)
    assert [line for line in logs if line["log_level"] in ("error", "critical")] == []
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
