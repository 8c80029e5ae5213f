"""Write a backup: a whole file or none, for its owner's eyes only, read back before it counts."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from incident_service.cli.backup.clients import clients_for
from incident_service.cli.backup.database import look_at
from incident_service.cli.backup.dump import ONLY_OURS, Dump, read_dump
from incident_service.cli.database import open_database
from incident_service.cli.environment import load_settings
from incident_service.cli.failing import CannotRun
from incident_service.core.clock import utc_now


def run_backup(to: Path | None) -> None:
    """Back the database up, and say what the file holds.

    Raises:
        CannotRun: there is nothing to back up, or it cannot be done.
        EmbeddedError: a server or a program is missing.
    """
    path = file_at(to or Path.cwd(), utc_now())
    with open_database(load_settings(), make=False) as url:
        dump = save(url, path)
    print(f"Backed up to {path}: {dump}.")


def file_at(place: Path, now: datetime) -> Path:
    """Return the file to write: `place` itself, or one named after the time in that directory.

    Raises:
        CannotRun: there is such a file already, or no directory for it.
    """
    name = f"incident-service-{now:%Y%m%dT%H%M%SZ}.dump"
    path = (place / name if place.is_dir() else place).absolute()
    if path.exists():
        raise CannotRun(f"{path} exists already. Choose another name, or move it away.")
    if not path.parent.is_dir():
        raise CannotRun(f"There is no directory {path.parent}.")
    return path


def save(url: str, path: Path) -> Dump:
    """Write a dump and read it back.

    Raises:
        CannotRun: the database holds no tables of the service, or it cannot be done.
    """
    if not look_at(url).is_ours:
        raise CannotRun("This database holds no tables of the incident service.")
    clients = clients_for(url)
    with becoming(path) as unfinished:
        clients.run("pg_dump", "--format=custom", *ONLY_OURS, f"--file={unfinished}")
        dump = read_dump(unfinished, clients)
    return Dump(path, dump.revision, dump.rows)


@contextmanager
def becoming(path: Path) -> Iterator[Path]:
    """Yield a new file beside `path` that takes its name at the end, and is gone on failure.

    Raises:
        CannotRun: it cannot be written there.
    """
    try:
        # Such files are readable for their owner only.
        file, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    except OSError as error:
        raise CannotRun(f"Cannot write to {path.parent}: {error.strerror}.") from error
    unfinished = Path(name)
    try:
        yield unfinished
        os.fsync(file)
        unfinished.rename(path)
    finally:
        os.close(file)
        unfinished.unlink(missing_ok=True)
    sync(path.parent)


def sync(directory: Path) -> None:
    """Have a new name survive a crash of the machine."""
    file = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
