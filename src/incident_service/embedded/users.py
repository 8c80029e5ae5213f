"""Count who uses a server, so that the last one to leave can stop it.

The kernel does the counting: a file lock ends with its process, however that ends.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Users:
    """The processes that use the server whose files begin with `prefix`."""

    def __init__(self, prefix: Path) -> None:
        self._turn_file = prefix.with_suffix(".lock")
        self._users_file = prefix.with_suffix(".users")
        self._membership: int | None = None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for, and have, the sole right to start or stop the server."""
        turn = _open(self._turn_file)
        try:
            fcntl.flock(turn, fcntl.LOCK_EX)
            yield
        finally:
            os.close(turn)

    def join(self) -> None:
        """Become a user, until `leave` or the end of this process. Takes a turn."""
        self._membership = _open(self._users_file)
        fcntl.flock(self._membership, fcntl.LOCK_SH)

    def leave(self) -> bool:
        """Stop being a user; say whether nobody else is left. Takes a turn.

        Who has left already, and was interrupted then, only looks.
        """
        if self._membership is None:
            self._membership = _open(self._users_file)
        try:
            fcntl.flock(self._membership, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        else:
            return True
        finally:
            os.close(self._membership)
            self._membership = None


def _open(path: Path) -> int:
    """Open a lock file, never through a link: root may be working in another user's directory."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
