"""Read a dump to its end: what release it is of, and what it holds."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from incident_service.cli.backup.clients import Clients
from incident_service.cli.failing import CannotRun

# What all tables of the service are in. Without the schema itself, which every database has.
ONLY_OURS = ("--schema=public", "--no-owner", "--no-privileges")
TABLE = re.compile(rb"COPY public\.(\w+) \(.*\) FROM stdin;\n")
END = b"\\.\n"
VERSION = "alembic_version"
NAMED = ("incidents", "alerts", "teams", "users", "api_keys")


@dataclass(frozen=True, slots=True)
class Dump:
    """A dump of the service's tables: its revision, and how many rows each table has."""

    path: Path
    revision: str
    rows: dict[str, int]

    def __str__(self) -> str:
        """Say what it holds."""
        parts = [f"{self.rows.get(name, 0)} {name.replace('_', ' ')}" for name in NAMED]
        return f"{size(self.path)}, {len(self.rows)} tables at {self.revision}: {', '.join(parts)}"


def read_dump(path: Path, clients: Clients) -> Dump:
    """Read all of a dump, as a restore would.

    Raises:
        CannotRun: it cannot be read, or is not of the service's.
    """
    if not path.is_file():
        raise CannotRun(f"There is no file {path}.")
    rows: dict[str, int] = {}
    revision = ""
    try:
        with clients.begun("pg_restore", *ONLY_OURS, "--file=-", path) as process:
            for table, row in rows_of(process.stdout or ()):
                rows[table] = rows.get(table, 0) + (row is not None)
                if table == VERSION and row:
                    revision = row.decode().strip()
    except CannotRun as failure:
        raise CannotRun(f"{path} is not a dump that can be restored. {failure}") from failure
    if not revision:
        raise CannotRun(f"{path} is not a dump of the incident service: it names no release.")
    return Dump(path, revision, rows)


def rows_of(script: Iterable[bytes]) -> Iterator[tuple[str, bytes | None]]:
    """Read a script of `pg_restore`: yield each table's name, with None, and then its rows."""
    table = ""
    for line in script:
        if not table:
            begins = TABLE.fullmatch(line)
            if begins:
                table = begins[1].decode()
                yield table, None
        elif line == END:
            table = ""
        else:
            yield table, line


def size(path: Path) -> str:
    """Say how large a file is."""
    kilobytes = path.stat().st_size / 1000
    return f"{kilobytes:.0f} kB" if kilobytes < 1000 else f"{kilobytes / 1000:.1f} MB"  # noqa: PLR2004
