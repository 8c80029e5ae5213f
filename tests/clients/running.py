"""The tools that are made for clients, run as commands."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).parent
TOOLS = Path.cwd() / ".venv-clients" / "bin"


async def run(*words: str | Path, home: Path, environment: Mapping[str, str] = {}) -> str:
    """Run a command to its end and return what it said; it must succeed."""
    process = await asyncio.create_subprocess_exec(
        *map(str, words),
        cwd=home,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, f"{words}:\n{said.decode()}"
    return said.decode()
