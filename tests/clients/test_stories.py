"""Clients generated from the OpenAPI document go through a whole story, type-checked.

Each is generated anew, checked by its language's own strict checker, and run against a service.
"""

import os
import shutil
from pathlib import Path

import pytest
from tests.clients.address import Address
from tests.clients.running import HERE, TOOLS, run

pytestmark = pytest.mark.clients
# Not the generated code itself: what its templates say is not ours.
STRICT = ("--strict", "--follow-imports=silent")


async def test_python_client_tells_the_whole_story(
    address: Address, document: Path, workshop: Path
) -> None:
    shutil.copy(HERE / "python" / "story.py", workshop)
    beside = {"PATH": f"{TOOLS}:{os.environ['PATH']}"}
    said = await run(
        *(TOOLS / "openapi-python-client", "generate", "--path", document),
        *("--output-path", workshop / "incident_client", "--meta", "none"),
        home=workshop,
        environment=beside,
    )
    assert "warning" not in said.lower(), said
    await run(TOOLS / "mypy", *STRICT, "story.py", home=workshop)
    said = await run(TOOLS / "python", "story.py", *address.words, home=workshop)
    assert "the whole story" in said


async def test_typescript_client_tells_the_whole_story(
    address: Address, document: Path, workshop: Path, npx: str
) -> None:
    for name in ("package.json", "tsconfig.json", "story.ts"):
        shutil.copy(HERE / "typescript" / name, workshop)
    (workshop / "node_modules").symlink_to(HERE / "typescript" / "node_modules")
    await run(npx, "openapi-ts", "-s", "-i", document, "-o", "client", home=workshop)
    await run(npx, "tsc", home=workshop)
    said = await run("node", "built/story.js", *address.words, home=workshop)
    assert "the whole story" in said
