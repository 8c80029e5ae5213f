"""Where embedded servers keep their data and their sockets."""

import hashlib
import os
import re
import stat
from pathlib import Path

from incident_service.embedded.accounts import Account
from incident_service.embedded.errors import EmbeddedError

# A socket's path has 107 bytes on Linux and 103 on macOS.
SOCKET_PATH_MAX_BYTES = 103

# Characters that mean something in a URL or in a list of hosts (":" and ",") would reach one
# client library and not the next.
_PLAIN_PATH = re.compile(rb"[A-Za-z0-9_./-]+")

# Not tempfile.gettempdir() and not $XDG_RUNTIME_DIR: processes that share a server must come to
# the same directory whatever their environment, and the latter is emptied at logout.
_SHORT_PLACE = Path("/tmp")  # noqa: S108 - `make_private` checks whose directory it is


def default_data_dir() -> Path:
    """Return where this user's embedded servers keep their data unless told otherwise."""
    if os.geteuid() == 0:
        # Not below /root: PostgreSQL then runs as nobody, who cannot go there.
        return Path("/var/lib/incident-service")
    data_home = Path(os.environ.get("XDG_DATA_HOME", ""))
    if not data_home.is_absolute():
        data_home = Path.home() / ".local" / "share"
    return data_home / "incident-service"


def make(directory: Path) -> None:
    """Make a directory and those above it that are missing; leave existing ones as they are.

    Root's can be passed through by everybody, because PostgreSQL's own directory is below; what
    is inside is private by itself.
    """
    if directory.is_dir():
        return
    make(directory.parent)
    directory.mkdir(exist_ok=True)
    directory.chmod(0o711 if os.geteuid() == 0 else 0o700)


def make_private(directory: Path, account: Account | None) -> None:
    """Make a directory that only the account, or else the caller, may enter.

    Raises:
        EmbeddedError: somebody else has put something there.
    """
    directory.mkdir(mode=0o700, exist_ok=True)
    found = directory.lstat()
    own = {os.geteuid(), account.uid if account else os.geteuid()}
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in own:
        raise EmbeddedError(
            f"{directory} is to hold a private socket, but it is a link or belongs to user "
            f"{found.st_uid}. Remove it, or point INCIDENT_SERVICE_DATA_DIR to another directory."
        )
    directory.chmod(0o700)
    if account:
        os.chown(directory, account.uid, account.gid)


def socket_path(wanted: Path) -> Path:
    """Return `wanted`, or a short stand-in when a socket cannot have that path.

    The stand-in's directory is named after `wanted`, so every process finds the same one.
    """
    path = os.fsencode(wanted)
    if len(path) <= SOCKET_PATH_MAX_BYTES and _PLAIN_PATH.fullmatch(path):
        return wanted
    name = hashlib.sha256(path).hexdigest()[:16]
    return _SHORT_PLACE / f"incident-service-{name}" / wanted.name
