"""Other processes that use an embedded server, and waiting for them."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

import incident_service

# What another process does: start a server, say so, and stop it when it is told to or has no
# parent any more. Ctrl-C is only reported.
PROGRAM = """
import os, signal, sys
from pathlib import Path
import structlog
from incident_service import embedded

structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
signal.signal(signal.SIGINT, lambda *_: os.write(1, b"interrupted\\n"))
server = getattr(embedded, sys.argv[1])(Path(sys.argv[2]))
server.start()
print("up", flush=True)
sys.stdin.readline()
server.stop()
print("left", flush=True)
"""


class OtherProcess:
    """A process of its own group that uses an embedded server."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def hears(self, line: str) -> None:
        """Wait until the process says that line."""
        assert self.process.stdout
        said = self.process.stdout.readline().strip()
        assert said == line, f"{said!r}, not {line!r}"

    def leave(self) -> None:
        """Let it stop using the server and end."""
        assert self.process.stdin
        self.process.stdin.close()
        self.hears("left")
        self.process.wait(10)

    def die(self) -> None:
        """End it as kill -9 does."""
        self.process.kill()
        self.process.wait(10)

    def interrupt(self) -> None:
        """Do what the terminal does on Ctrl-C: interrupt the process and all of its group."""
        os.killpg(self.process.pid, signal.SIGINT)
        self.hears("interrupted")


@contextmanager
def other_process(
    server: str, directory: Path, *, python: str = sys.executable, user: str | None = None
) -> Iterator[OtherProcess]:
    """Begin a process that starts a server of that class; wait for it with `hears("up")`."""
    path = [Path(incident_service.__file__).parents[1], Path(structlog.__file__).parents[1]]
    with subprocess.Popen(
        [python, "-c", PROGRAM, server, directory],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd="/",
        env={"PATH": os.environ["PATH"], "PYTHONPATH": ":".join(map(str, path))},
        start_new_session=True,
        user=user,
        group=user and "nogroup",
        extra_groups=[] if user else None,
    ) as process:
        try:
            yield OtherProcess(process)
        finally:
            if process.poll() is None:
                process.kill()


def python_for_everybody() -> str | None:
    """Return an interpreter new enough that the user nobody can run; there may be none."""
    for python in (sys.executable, shutil.which("python3", path="/usr/local/bin:/usr/bin")):
        try:
            answer = subprocess.run(
                [python or "", "-c", "import sys; sys.exit(sys.version_info < (3, 11))"],
                check=False,
                cwd="/",
                user="nobody",
                extra_groups=[],
            )
        except OSError:
            continue
        if answer.returncode == 0:
            return python
    return None


def eventually(holds: Callable[[], object], *, within_s: float = 10.0) -> None:
    """Wait for a condition; fail when it does not come to hold."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.01)
