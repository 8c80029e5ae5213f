"""Our own commands in processes of their own: watched, interrupted, killed."""

import asyncio
import os
import signal
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from incident_service.cli.environment import as_environment
from incident_service.settings import Settings

SAYS_WITHIN_S = 30.0
ENDS_WITHIN_S = 30.0


class Command:
    """`incident-service …` while it runs, and what it has said so far."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._said = asyncio.Condition()
        self.lines: list[str] = []
        self.reading = asyncio.create_task(self._read())

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    async def says(self, words: str) -> str:
        """Wait for a line with these words and return it."""
        async with self._said:
            try:
                async with asyncio.timeout(SAYS_WITHIN_S):
                    await self._said.wait_for(lambda: self._line_with(words) or self.has_ended)
            except TimeoutError:
                pass
        found = self._line_with(words)
        assert found is not None, f"it never said {words!r}, but:\n{self.text}"
        return found

    @property
    def has_ended(self) -> bool:
        return self.reading.done() or self._process.returncode is not None

    def interrupt(self) -> None:
        """Do what Ctrl-C does: interrupt the process and all of its group."""
        os.killpg(self._process.pid, signal.SIGINT)

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        """End it as `kill -9` does."""
        if self._process.returncode is None:
            self._process.kill()

    async def exit_code(self, *, within_s: float = ENDS_WITHIN_S) -> int:
        """Wait until it has ended."""
        async with asyncio.timeout(within_s):
            await self.reading
            return await self._process.wait()

    def _line_with(self, words: str) -> str | None:
        return next((line for line in self.lines if words in line), None)

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            async with self._said:
                self.lines.append(line.decode().rstrip("\n"))
                self._said.notify_all()
        async with self._said:
            self._said.notify_all()


@asynccontextmanager
async def command(
    *words: str, environment: Mapping[str, str], home: Path
) -> AsyncIterator[Command]:
    """Begin a command in `home`, with nothing in its environment but what is given.

    It is killed at the end, unless it has ended by then.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "incident_service", *words),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=home,
        env={
            "PATH": os.environ["PATH"],
            "TMPDIR": str(home),
            "INCIDENT_SERVICE_WORKER_PORT": "0",
            **environment,
        },
        start_new_session=True,
    )
    begun = Command(process)
    try:
        yield begun
    finally:
        begun.kill()
        await begun.exit_code()


def environment_of(settings: Settings) -> dict[str, str]:
    """Return the variables that give a process these settings."""
    given = sorted(settings.model_fields_set - {"_env_file"})
    return as_environment(settings, given)
