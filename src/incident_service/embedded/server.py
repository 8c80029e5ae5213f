"""Run one server for all the processes that name its directory, and keep it running."""

import os
import signal
import subprocess
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ClassVar, Self

import structlog

from incident_service.embedded import directories
from incident_service.embedded.accounts import Account
from incident_service.embedded.errors import EmbeddedError
from incident_service.embedded.processes import environment, listens, pid_in, runs_with
from incident_service.embedded.users import Users

# Replaying what a crash left in the write-ahead log comes before the first answer.
ANSWERS_WITHIN_S = 60.0
# How long what remains of a killed server may stand in its successor's way.
REMAINS_WITHIN_S = 10.0
RETRY_S = 0.1
POLL_S = 0.01
# How often a process looks after a server that is not its child.
LOOK_EVERY_S = 0.5
# One pause before each restart in a row; a server that stayed up begins a new row.
RESTART_PAUSES_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 10.0)
STAYED_UP_S = 60.0
# How long the watcher may take to see that it is no longer needed.
FAREWELL_S = 5.0
LOG_LINES_SHOWN = 10

log = structlog.get_logger()


@dataclass(frozen=True)
class Launch:
    """A command line, and as whom to run it when not as the caller."""

    command: Sequence[str | Path]
    account: Account | None = None


class SharedServer(ABC):
    """A server that the first process to start it launches and the last one to stop it ends.

    It is a child of the process that launched it and outlives it, so that one user's sudden
    death does not take the others' server away. Every user watches it and brings it back when it
    ends by itself. Ctrl-C in the terminal does not reach it.
    """

    name: ClassVar[str]
    """What it is called, for files and for people."""

    stop_signals: ClassVar[Sequence[tuple[signal.Signals, float]]]
    """What ends it, from kind to unkind, with the seconds each is given."""

    passing_failures: ClassVar[Sequence[bytes]] = ()
    """What it logs when remains of a killed predecessor, soon gone, keep it from starting."""

    def __init__(self, directory: Path, *, socket: str, pid_file: str, known_by: str) -> None:
        """Describe a server: its files, below `directory`, and a path in its command line."""
        self.directory = directory.expanduser().resolve()
        self.socket = directories.socket_path(self.directory / socket)
        self._pid_file = self.directory / pid_file
        self._known_by = str(self.directory / known_by)
        self._log_file = self.directory / f"{self.name}.log"
        self._users = Users(self.directory / self.name)
        self._child: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._watcher: threading.Thread | None = None

    @abstractmethod
    def _answers(self) -> bool:
        """Say whether the server takes work."""

    @abstractmethod
    def _prepare(self) -> Launch:
        """Make the data ready for a server; called when none runs, by one process at a time."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Return when the server answers: one that runs already, or a new one.

        Raises:
            EmbeddedError: there is no server to run, or it does not come up.
        """
        if self._watcher is not None:
            return
        try:
            directories.make(self.directory)
            with self._users.turn():
                self._join()
        except OSError as error:
            raise EmbeddedError(
                f"The embedded {self.name} cannot run in {self.directory}: {error}. Point "
                "INCIDENT_SERVICE_DATA_DIR to a directory that this user may write to."
            ) from error
        self._stopping = threading.Event()
        self._watcher = threading.Thread(
            target=self._watch,
            args=(self._stopping,),
            name=f"embedded-{self.name}-watcher",
            daemon=True,
        )
        self._watcher.start()

    def stop(self) -> None:
        """Stop using the server; end it unless another process uses it."""
        if self._watcher is None:
            return
        watcher, self._watcher = self._watcher, None
        self._stopping.set()
        try:
            last = self._leave()
        except BaseException:
            # Interrupted, as by a second Ctrl-C: a server that is left behind would stay for ever.
            self._leave()
            raise
        if last:
            watcher.join(FAREWELL_S)

    def _leave(self) -> bool:
        """End the server unless another process uses it; say whether none does."""
        with self._users.turn():
            last = self._users.leave()
            if last:
                self._end()
        return last

    def _join(self) -> None:
        self._users.join()
        try:
            self._bring_up()
        except BaseException:
            self._users.leave()
            raise

    def _bring_up(self) -> None:
        """Return once the server answers; on failure, leave none behind. Takes a turn."""
        self._child = None
        log_start = self._log_size()
        began = time.monotonic()
        try:
            while not self._answers():
                waited_s = time.monotonic() - began
                if waited_s > ANSWERS_WITHIN_S:
                    raise self._failure(f"does not answer at {self.socket}", log_start)
                if self._child is not None and self._child.poll() is not None:
                    if waited_s > REMAINS_WITHIN_S or not self._may_pass(log_start):
                        raise self._failure("ends at once", log_start)
                    self._child = None
                    time.sleep(RETRY_S)
                # A server that runs and does not answer yet is another process's, still starting.
                if self._child is None and not self._runs():
                    log_start = self._log_size()
                    self._child = self._launch()
                time.sleep(POLL_S)
        except BaseException:
            if self._child is not None:
                self._child.kill()
                self._child.wait()
            raise

    def _launch(self) -> subprocess.Popen[bytes]:
        launch = self._prepare()
        with _open_log(self._log_file) as log_file:
            return subprocess.Popen(  # noqa: S603 - a program that was found, and our own arguments
                launch.command,
                stdin=subprocess.DEVNULL,
                stdout=log_file,
                stderr=log_file,
                cwd="/",
                env=environment(),
                umask=0o077,
                start_new_session=True,
                user=launch.account.uid if launch.account else None,
                group=launch.account.gid if launch.account else None,
                extra_groups=[] if launch.account else None,
            )

    def _runs(self) -> bool:
        """Say whether there is a server, be it of another process or of another container."""
        return self._running_pid() is not None or listens(self.socket)

    def _running_pid(self) -> int | None:
        """Return the server's process id, whosever child it is; None when it does not run."""
        pid = pid_in(self._pid_file)
        return pid if pid is not None and runs_with(pid, self._known_by) else None

    def _end(self) -> None:
        """End the server, with as much force as it takes. Takes a turn."""
        pid = self._running_pid()
        if pid is None:
            return
        for stop_signal, patience_s in self.stop_signals:
            with suppress(ProcessLookupError):
                os.kill(pid, stop_signal)
            if _within(patience_s, lambda: not runs_with(pid, self._known_by)):
                break
        else:
            log.error("embedded.will_not_stop", server=self.name, pid=pid)
        # A directory that was made for the socket alone is empty now.
        with suppress(OSError):
            self.socket.parent.rmdir()

    def _watch(self, stopping: threading.Event) -> None:
        """Bring the server back when it ends by itself, until this process stops using it."""
        pauses_s = iter(RESTART_PAUSES_S)
        while True:
            up_since = time.monotonic()
            self._wait_for_its_end(stopping)
            if time.monotonic() - up_since > STAYED_UP_S:
                pauses_s = iter(RESTART_PAUSES_S)
            pause_s = next(pauses_s, None)
            if pause_s is None:
                log.error("embedded.given_up", server=self.name, log=str(self._log_file))
                return
            if stopping.wait(pause_s):
                return
            self._restart(stopping)

    def _wait_for_its_end(self, stopping: threading.Event) -> None:
        """Wait until the server ends. A child is reaped; it would hold its pid as a zombie."""
        if self._child is not None:
            self._child.wait()
            return
        while self._runs():
            if stopping.wait(LOOK_EVERY_S):
                return

    def _restart(self, stopping: threading.Event) -> None:
        try:
            with self._users.turn():
                if stopping.is_set():
                    return
                log.warning("embedded.restarting", server=self.name)
                self._bring_up()
        except (EmbeddedError, OSError) as error:
            log.warning("embedded.restart_failed", server=self.name, reason=str(error))

    def _log_size(self) -> int:
        return self._log_file.stat().st_size if self._log_file.exists() else 0

    def _logged(self, log_start: int) -> bytes:
        if not self._log_file.exists():
            return b""
        with self._log_file.open("rb") as log_file:
            log_file.seek(log_start)
            return log_file.read()

    def _may_pass(self, log_start: int) -> bool:
        logged = self._logged(log_start)
        return any(failure in logged for failure in self.passing_failures)

    def _failure(self, what: str, log_start: int) -> EmbeddedError:
        last_lines = self._logged(log_start).decode(errors="replace").splitlines()
        shown = "\n".join(last_lines[-LOG_LINES_SHOWN:])
        return EmbeddedError(f"The embedded {self.name} {what}. See {self._log_file}:\n{shown}")


def _open_log(path: Path) -> BinaryIO:
    """Open a log to append to; failed statements stand in it, with their data."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
    return os.fdopen(os.open(path, flags, 0o600), "ab")


def _within(patience_s: float, holds: Callable[[], bool]) -> bool:
    """Wait for a condition; say whether it came to hold in time."""
    deadline = time.monotonic() + patience_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True
