"""Run programs, and ask about servers that may be another process's children, or long dead."""

import os
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from incident_service.embedded.accounts import Account

_ANSWER_WITHIN_S = 2.0


def environment() -> dict[str, str]:
    """Return what a server is told of this process's environment: next to nothing.

    `PG*` would redirect PostgreSQL, the locale would translate the messages that are looked for
    in its log, and secrets are none of its business.
    """
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}


def run(command: Sequence[str | Path], account: Account | None) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, as the account or else the caller, and return what it said."""
    return subprocess.run(  # noqa: S603 - programs that were found, and our own arguments
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env=environment(),
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )


def pid_in(file: Path) -> int | None:
    """Return the process id a server wrote in its file's first line, if it did."""
    try:
        return int(file.read_text().split()[0])
    except (FileNotFoundError, ValueError, IndexError):
        return None


def runs_with(pid: int, argument: str) -> bool:
    """Say whether that process lives and was started with that argument.

    A pid alone says little: after a crash it may be another program's by now. A zombie has no
    arguments left, so it counts as dead. The command line is readable where `cwd` and `exe` are
    not: root in a container may lack the right to look into another user's process.
    """
    if not Path("/proc/self/cmdline").exists():  # macOS
        return _exists(pid)
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return os.fsencode(argument) in command.split(b"\0")


def listens(path: Path) -> bool:
    """Say whether a process accepts connections at a socket."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_ANSWER_WITHIN_S)
        return connection.connect_ex(os.fspath(path)) == 0


def ask(path: Path, question: bytes) -> bytes:
    """Return the beginning of what a socket answers; nothing when nobody listens."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_ANSWER_WITHIN_S)
        try:
            connection.connect(os.fspath(path))
            connection.sendall(question)
            return connection.recv(1024)
        except OSError:
            return b""


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it exists, and is another user's
    return True
