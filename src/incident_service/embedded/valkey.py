"""Valkey, as a child process that keeps its data on disk."""

import signal
from pathlib import Path
from typing import ClassVar

from incident_service.embedded import directories
from incident_service.embedded.binaries import find_valkey
from incident_service.embedded.processes import ask
from incident_service.embedded.server import Launch, SharedServer


class EmbeddedValkey(SharedServer):
    """A Valkey, or Redis, that keeps an append-only file in `directory`.

    Writes reach the disk within a second, so a crash of the machine may cost the last second.
    """

    name: ClassVar[str] = "valkey"
    stop_signals: ClassVar = ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0))

    def __init__(self, directory: Path) -> None:
        super().__init__(
            directory, socket="valkey.sock", pid_file="valkey.pid", known_by="valkey.pid"
        )
        self.url = f"unix://{self.socket}?db=0"

    def _answers(self) -> bool:
        """Say whether it takes commands; while it reads its file it answers `-LOADING`."""
        answer = ask(self.socket, b"PING\r\n")
        return answer.startswith((b"+PONG", b"-ERR max number of clients"))

    def _prepare(self) -> Launch:
        if self.socket.parent != self.directory:
            directories.make_private(self.socket.parent, None)
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.directory),
            "pidfile": str(self._pid_file),
            "logfile": str(self._log_file),
            "appendonly": "yes",
            "save": "",
            "daemonize": "no",
            # Its arguments are how it is known again.
            "set-proc-title": "no",
        }
        given = [word for name, value in options.items() for word in (f"--{name}", value)]
        return Launch([find_valkey(), *given])
