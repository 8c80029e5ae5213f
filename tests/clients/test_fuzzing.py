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
# They may take away the key that the requests are made with: what follows is 401.
OF_KEYS = ("delete_api_key", "revoke_api_key", "update_api_key")
ON_KEYS = [word for name in OF_KEYS for word in ("--include-operation-id", name)]
ON_ALL_ELSE = [word for name in OF_KEYS for word in ("--exclude-operation-id", name)]
# A stream has no end to wait for.
ON_ALL_ELSE += ["--exclude-operation-id", "stream_incidents"]


@pytest.mark.parametrize(
    ("operations", "seconds"), [(ON_ALL_ELSE, 90), (ON_KEYS, 10)], ids=["all else", "keys"]
)
async def test_no_answer_is_outside_the_document(
    address: Address, document: Path, workshop: Path, operations: list[str], seconds: int
) -> None:
    said = await run(
        *(TOOLS / "schemathesis", "--config-file", HERE / "schemathesis.toml"),
        *("run", document, "--url", address.base_url),
        *operations,
        *("--max-time", str(seconds), "--continue-on-failure", "--no-color", "--warnings", "off"),
        home=workshop,
        environment={"API_KEY": address.key},
    )
    assert "❌" not in said, said
