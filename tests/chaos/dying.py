"""Have processes of the service die at a point of our choice, and know how they did."""

import asyncio
import os
import signal
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.victim import Fate
from tests.processes import environment_of

from incident_service.settings import Settings

ROOT = Path(__file__).parents[2]
DIES_WITHIN_S = 20.0


@dataclass
class Victim:
    """One process that is going to die. It was heard to say `words`: a fact by its name."""

    pid: int
    process: Process
    words: dict[str, str] = field(default_factory=dict)

    async def says(self, fact: str) -> str:
        """Wait until it, or who waits for it, says a fact."""
        assert self.process.stdout is not None
        async with asyncio.timeout(DIES_WITHIN_S):
            while fact not in self.words:
                line = (await self.process.stdout.readline()).decode().split()
                assert line, f"it said nothing more than {self.words}"
                self.words[line[0]] = line[-1]
        return self.words[fact]

    async def base_url(self) -> str:
        return f"http://127.0.0.1:{await self.says('listens')}"

    def kill(self) -> None:
        """End it as `kill -9` does, unless it has ended."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    async def death(self) -> tuple[str | None, int]:
        """Wait for its end; return the point where it died by itself, and the signal."""
        died_by = int(await self.says("ended"))
        return self.words.get("dies"), died_by


@dataclass(frozen=True)
class Victims:
    """Where victims come from, one at a time."""

    process: Process

    @asynccontextmanager
    async def begin(self, fate: Fate) -> AsyncIterator[Victim]:
        """Bring a process to life; it is killed at the end, if it has not died by then."""
        assert self.process.stdin is not None
        self.process.stdin.write(fate.as_line())
        victim = Victim(0, self.process)
        victim.pid = int(await victim.says("lives"))
        try:
            yield victim
        finally:
            if "ended" not in victim.words:
                victim.kill()
                await victim.says("ended")


@asynccontextmanager
async def victims(settings: Settings) -> AsyncIterator[Victims]:
    """Start the process that makes them."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.chaos.victim"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment_of(settings)},
    )
    assert process.stdin is not None
    try:
        yield Victims(process)
    finally:
        process.stdin.close()
        await process.wait()
