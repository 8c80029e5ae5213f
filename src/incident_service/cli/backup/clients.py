"""Run PostgreSQL's own programs for a database; its password never stands on a command line."""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sqlalchemy import make_url

from incident_service.cli.failing import CannotRun
from incident_service.embedded import find_postgres_clients

# asyncpg's names, as SQLAlchemy passes them on, and those of libpq's environment.
# Source: https://www.postgresql.org/docs/current/libpq-envars.html
LIBPQ = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "passfile": "PGPASSFILE",
    "database": "PGDATABASE",
    "ssl": "PGSSLMODE",
}
KEPT = ("PATH", "HOME", "LD_LIBRARY_PATH")
# Not the application's own name, by which connected processes are found.
APPLICATION_NAME = "incident-service backup"
LINES_SHOWN = 3


def environment(url: str) -> dict[str, str]:
    """Return what a program of PostgreSQL's must be told to reach a database.

    Variables such as `PGSSLROOTCERT` are passed on: the service itself heeds them too.
    """
    parsed = make_url(url)
    _, given = parsed.get_dialect()().create_connect_args(parsed)
    kept = {name: text for name, text in os.environ.items() if name in KEPT or name[:2] == "PG"}
    address = {LIBPQ[name]: as_text(value) for name, value in given.items() if name in LIBPQ}
    return kept | address | {"PGAPPNAME": APPLICATION_NAME, "LC_ALL": "C", "TZ": "UTC"}


def as_text(value: object) -> str:
    """Write a parameter as libpq reads it: several hosts or ports are parted by commas."""
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


@dataclass(frozen=True)
class Clients:
    """`pg_dump`, `pg_restore` and `psql`, in a directory, with what they are told."""

    directory: Path
    environment: dict[str, str]

    def run(self, program: str, *arguments: str | Path) -> None:
        """Run a program to its end.

        Raises:
            CannotRun: it fails; the message is its own.
        """
        with self.begun(program, *arguments):
            pass

    @contextmanager
    def begun(
        self, program: str, *arguments: str | Path, stdin: int | None = subprocess.DEVNULL
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Begin a program whose output is read; it ends with the block, at the latest.

        Raises:
            CannotRun: it fails; the message is its own.
        """
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(  # noqa: S603 - a program that was found, and our own arguments
                command_line(self.directory / program, arguments),
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=self.environment,
            )
            with process:
                try:
                    yield process
                    if process.stdin:
                        process.stdin.close()
                except BrokenPipeError:
                    if process.stdin is None:  # the pipe of another program
                        process.kill()
                        raise
                    with suppress(BrokenPipeError):
                        process.stdin.close()  # it has said why it takes no more
                except BaseException:
                    process.kill()
                    raise
            if process.returncode:
                raise CannotRun(f"{program} failed: {last_words(errors)}")


def command_line(program: Path, arguments: Sequence[str | Path]) -> list[str | Path]:
    """Return the words of a command; none of them may ask a person for a password."""
    asks = program.name in {"pg_dump", "psql"}
    return [program, *(["--no-password"] if asks else []), *arguments]


def last_words(errors: IO[bytes]) -> str:
    """Return what a program has said at its end."""
    errors.seek(0)
    lines = errors.read().decode(errors="replace").split("\n")
    return "; ".join([line.strip() for line in lines if line.strip()][:LINES_SHOWN])


def clients_for(url: str) -> Clients:
    """Find the programs for a database.

    Raises:
        EmbeddedError: there are none.
    """
    return Clients(find_postgres_clients(), environment(url))
