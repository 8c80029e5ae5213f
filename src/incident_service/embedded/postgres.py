"""PostgreSQL, as a child process with a cluster of its own."""

import os
import shutil
import signal
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar
from urllib.parse import quote

from incident_service.embedded import accounts, directories
from incident_service.embedded.accounts import Account
from incident_service.embedded.binaries import PostgresPrograms, find_postgres
from incident_service.embedded.errors import EmbeddedError
from incident_service.embedded.processes import ask, run
from incident_service.embedded.server import Launch, SharedServer

# Only a part of the socket's name, yet clients and server both take another from $PGPORT.
PORT = 5432

_PARAMETERS = b"\x00\x03\x00\x00user\x00postgres\x00database\x00postgres\x00\x00"
# A startup packet of protocol 3.0, then "terminate".
# Source: https://www.postgresql.org/docs/current/protocol-message-formats.html
_HELLO = (len(_PARAMETERS) + 4).to_bytes(4, "big") + _PARAMETERS + b"X\x00\x00\x00\x04"

# The provider "builtin" orders and folds text alike on every operating system.
_BUILTIN_LOCALE_SINCE = 17
_BUILTIN_LOCALE = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8")

_FAST_NOT_SAFE = MappingProxyType(
    {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
)


class EmbeddedPostgres(SharedServer):
    """A PostgreSQL whose cluster is `directory`/pgdata, made when it is missing.

    Its superuser `postgres` needs no password: the socket's directory lets in its owner only.
    With `durable=False`, for tests, a killed server may have lost its last commits, and a crash
    of the machine all data. `programs` is a directory with another PostgreSQL. `settings` are
    PostgreSQL's own, such as `max_connections`; those of the process that launches the server
    hold for all its users.
    """

    name: ClassVar[str] = "postgres"
    # "Fast" shutdown ends sessions and writes a checkpoint, "immediate" just ends.
    stop_signals: ClassVar = ((signal.SIGINT, 15.0), (signal.SIGQUIT, 10.0))
    # A killed postmaster's sessions notice within moments, and hold its shared memory until then.
    passing_failures: ClassVar = (b"pre-existing shared memory block",)

    def __init__(
        self,
        directory: Path,
        *,
        durable: bool = True,
        settings: Mapping[str, str] = MappingProxyType({}),
        programs: Path | None = None,
    ) -> None:
        super().__init__(
            directory,
            socket=f"socket/.s.PGSQL.{PORT}",
            pid_file="pgdata/postmaster.pid",
            known_by="pgdata",
        )
        self._data = self.directory / "pgdata"
        self._durable = durable
        self._programs = programs
        self._settings = dict(settings) if durable else {**_FAST_NOT_SAFE, **settings}
        self.url = self.database_url("postgres")

    def database_url(self, name: str) -> str:
        """Return the address of a database, which need not exist, for SQLAlchemy."""
        database = quote(name, safe="")
        host = self.socket.parent
        return f"postgresql+asyncpg://postgres@/{database}?host={host}&port={PORT}"

    def _answers(self) -> bool:
        """Say whether a session can begin; "too many already" is said by a server that works."""
        answer = ask(self.socket, _HELLO)
        return answer.startswith(b"R") or b"C53300\x00" in answer

    def _prepare(self) -> Launch:
        account = accounts.unprivileged()
        if account:
            _require_a_way(self.directory, account)
        directories.make_private(self.socket.parent, account)
        programs = find_postgres(account, given=self._programs)
        if not (self._data / "PG_VERSION").exists():
            self._create_cluster(programs, account)
        self._require_own_cluster(programs, account)
        self._remove_locks()
        return Launch([programs.directory / "postgres", *self._arguments()], account)

    def _arguments(self) -> list[str]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket.parent),
            "unix_socket_permissions": "0700",
            "port": str(PORT),
            # PostgreSQL's own 4.0 is for disks that turn: with it long lists are read to their
            # end where an index would lead to the few rows that are wanted.
            "random_page_cost": "1.1",
            **self._settings,
        }
        given = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return ["-D", str(self._data), *given]

    def _create_cluster(self, programs: PostgresPrograms, account: Account | None) -> None:
        """Make a cluster aside and move it into place, so that there never is half of one.

        The place aside is a new one each time: the initdb of a process that was killed may still
        be at work in the old one.
        """
        if self._data.exists() and any(self._data.iterdir()):
            raise EmbeddedError(
                f"{self._data} is not empty, but it is not PostgreSQL's either. Move it away, or "
                "point INCIDENT_SERVICE_DATA_DIR to another directory."
            )
        for unfinished in self.directory.glob("pgdata.new-*"):
            shutil.rmtree(unfinished, ignore_errors=True)
        new = Path(tempfile.mkdtemp(prefix="pgdata.new-", dir=self.directory))
        if account:
            os.chown(new, account.uid, account.gid)
        _initdb(new, programs, account, durable=self._durable)
        new.rename(self._data)

    def _require_own_cluster(self, programs: PostgresPrograms, account: Account | None) -> None:
        """Refuse a cluster that these programs or this account cannot read."""
        owner = self._data.stat().st_uid
        if owner != (account.uid if account else os.geteuid()):
            raise EmbeddedError(
                f"{self._data} belongs to user {owner}. Run as that user, or point "
                "INCIDENT_SERVICE_DATA_DIR to another directory."
            )
        found = (self._data / "PG_VERSION").read_text().strip()
        if found != str(programs.major):
            raise EmbeddedError(
                f"{self._data} was made by PostgreSQL {found}, which PostgreSQL {programs.major}, "
                "the one to be run here, cannot read. Nothing was changed. Either keep that "
                f"directory, dump it with PostgreSQL {found} and restore the dump into a new one, "
                "or point INCIDENT_SERVICE_DATA_DIR to another directory."
            )

    def _remove_locks(self) -> None:
        """Remove the lock files of a server that is known not to run.

        PostgreSQL would trust the pid in them, which may be another process's by now, or that of
        a zombie that nobody reaps. It still refuses to share the memory of a server that runs.
        """
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        self.socket.with_name(f"{self.socket.name}.lock").unlink(missing_ok=True)


def _require_a_way(directory: Path, account: Account) -> None:
    closed = accounts.first_closed_directory(directory, account)
    if closed:
        raise EmbeddedError(
            f"Root runs PostgreSQL as the user nobody, who may not enter {closed}, so its data "
            f"cannot be in {directory}. Set INCIDENT_SERVICE_DATA_DIR=/var/lib/incident-service, "
            "or another directory that everybody may pass through."
        )


def _initdb(
    directory: Path, programs: PostgresPrograms, account: Account | None, *, durable: bool
) -> None:
    """Fill an empty directory with a new cluster."""
    # Searches by trigrams ask LC_CTYPE what a letter is, whoever provides the rest.
    locale = ["--locale=C.UTF-8"]
    if programs.major >= _BUILTIN_LOCALE_SINCE:
        locale = ["--locale=C", "--lc-ctype=C.UTF-8", *_BUILTIN_LOCALE]
    options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", *locale]
    sync = [] if durable else ["--no-sync"]
    initdb = programs.directory / "initdb"
    done = run([initdb, "-D", directory, "--no-instructions", *options, *sync], account)
    if done.returncode:
        raise EmbeddedError(f"PostgreSQL cannot make a cluster in {directory}:\n{done.stderr}")
