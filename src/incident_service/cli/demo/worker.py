"""A worker in a process of its own, to be killed."""

import asyncio
import os
import signal
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import Callable, Mapping
from pathlib import Path

from incident_service.cli.demo import words

STOPS_WITHIN_S = 15.0


def command(*arguments: str) -> list[str]:
    """Return the command line of one of our own commands, which ends when this process does."""
    words = (*arguments, "--parent", str(os.getpid()))
    return [sys.executable, "-m", "incident_service", *words]


class WorkerProcess:
    """`incident-service worker --console`; `say` is told the first line of each page it prints."""

    def __init__(self, process: Process, say: Callable[[str], None]) -> None:
        self._process = process
        self._reading = asyncio.create_task(self._read(say))

    @classmethod
    async def start(
        cls, environment: Mapping[str, str], say: Callable[[str], None]
    ) -> "WorkerProcess":
        """Start it on the servers that `environment` names; it is out of reach of Ctrl-C."""
        process = await asyncio.create_subprocess_exec(
            *command("worker", "--console"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=Path("/"),
            env={**os.environ, **environment},
            start_new_session=True,
        )
        return cls(process, say)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def kill(self) -> int:
        """End it as `kill -9` does; return what the system says of its end."""
        self._process.kill()
        return await self._process.wait()

    async def stop(self) -> None:
        """Let it finish what it does, and end."""
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self._process.wait(), STOPS_WITHIN_S)
            except TimeoutError:
                await self.kill()
        await self._reading

    async def _read(self, say: Callable[[str], None]) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            if head := words.page_head(line.decode(errors="replace")):
                say(head)
