"""The running service keeps to its document, whatever a client sends that was made to break it.

Schemathesis makes up requests from the OpenAPI document, follows what belongs together from one
operation to the next, and checks each answer: no server error, no status, media type, header or
body that the document does not have.
"""

from pathlib import Path

import pytest
from tests.clients.address import Address
from tests.clients.running import HERE, TOOLS, run

pytestmark = pytest.mark.clients
SECONDS = 90


async def test_no_answer_is_outside_the_document(
    address: Address, document: Path, workshop: Path
) -> None:
    said = await run(
        TOOLS / "schemathesis",
        *("--config-file", HERE / "schemathesis.toml"),
        *("run", document, "--url", address.base_url),
        *("--max-time", str(SECONDS), "--continue-on-failure", "--no-color"),
        home=workshop,
        environment={"API_KEY": address.key},
    )
    assert "No issues found" in said, said
