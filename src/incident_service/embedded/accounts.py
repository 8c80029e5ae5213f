"""As whom PostgreSQL runs: as the caller, or as nobody when the caller is root."""

import grp
import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from incident_service.embedded.errors import EmbeddedError


@dataclass(frozen=True)
class Account:
    """A user and a group, by number."""

    uid: int
    gid: int


def unprivileged() -> Account | None:
    """Return nobody when this process is root, because PostgreSQL refuses to run as root.

    None means: no change of user is needed.
    """
    if os.geteuid() != 0:
        return None
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise EmbeddedError(
            "PostgreSQL does not run as root, and this machine has no user nobody to run it as. "
            "Run incident-service as another user."
        ) from None
    try:
        return Account(nobody.pw_uid, grp.getgrnam("nogroup").gr_gid)
    except KeyError:
        return Account(nobody.pw_uid, nobody.pw_gid)


def first_closed_directory(path: Path, account: Account) -> Path | None:
    """Return the outermost directory, down to `path` itself, that the account cannot enter."""
    outermost_first = [*reversed(path.parents), path]
    return next((each for each in outermost_first if not _may_enter(each, account)), None)


def _may_enter(directory: Path, account: Account) -> bool:
    """Read the permission bits the way the kernel does: the first class that matches decides."""
    found = directory.stat()
    if found.st_uid == account.uid:
        return bool(found.st_mode & stat.S_IXUSR)
    if found.st_gid == account.gid:
        return bool(found.st_mode & stat.S_IXGRP)
    return bool(found.st_mode & stat.S_IXOTH)
