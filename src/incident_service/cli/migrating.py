"""Bring the tables of a database to the present release."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from incident_service.cli.failing import CannotRun
from incident_service.core.db import DATABASE_AWAY, make_engine

CHECKOUT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class Revisions:
    """Where a database stands, and where this release wants it.

    `current` is None when it is empty. `is_ahead` means that a later release has migrated it.
    """

    current: str | None
    head: str
    is_ahead: bool = False

    @property
    def is_behind(self) -> bool:
        """Say whether migrations have to run."""
        return self.current != self.head and not self.is_ahead


def find_alembic_ini() -> Path:
    """Return the file beside the source checkout, or else in the current directory.

    Raises:
        CannotRun: there is none.
    """
    for directory in (CHECKOUT, Path.cwd()):
        if (directory / "alembic.ini").exists():
            return directory / "alembic.ini"
    raise CannotRun(
        "There is no alembic.ini here. Run this in the directory that holds it and migrations/."
    )


def alembic_config(url: str) -> Config:
    """Point Alembic to a database."""
    config = Config(find_alembic_ini())
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def look(url: str) -> Revisions:
    """Compare a database with this release, from outside any event loop.

    Raises:
        CannotRun: the database cannot be reached.
    """
    try:
        return asyncio.run(compare(url))
    except DATABASE_AWAY as error:
        raise CannotRun(f"The database cannot be reached: {described(error)}") from error


async def compare(url: str) -> Revisions:
    """Compare a database with this release.

    Raises one of `DATABASE_AWAY` when it cannot be reached.
    """
    scripts = ScriptDirectory.from_config(alembic_config(url))
    current = await current_revision(url)
    is_ahead = current is not None and not knows(current)
    return Revisions(current, scripts.get_current_head() or "", is_ahead=is_ahead)


def knows(revision: str) -> bool:
    """Say whether this release has a revision; it has not those of later ones."""
    scripts = ScriptDirectory.from_config(Config(find_alembic_ini()))
    return revision in {script.revision for script in scripts.walk_revisions()}


async def current_revision(url: str) -> str | None:
    """Return the revision that the database is at; None: no migration has run."""
    engine = make_engine(url)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(read_revision)
    finally:
        await engine.dispose()


def read_revision(connection: Connection) -> str | None:
    """Return the revision that the database is at."""
    return MigrationContext.configure(connection).get_current_revision()


def migrate(url: str) -> tuple[Revisions, Revisions]:
    """Run the migrations that are missing; return how it was before and is after.

    A database that is ahead is left alone: the earlier release can work with it.

    Raises:
        CannotRun: the database cannot be reached, or refuses a migration.
    """
    before = look(url)
    if not before.is_behind:
        return before, before
    try:
        command.upgrade(alembic_config(url), "head")
    except DATABASE_AWAY as error:
        raise CannotRun(f"A migration did not come through: {described(error)}") from error
    return before, look(url)


def described(error: BaseException) -> str:
    """Say what the database said, without the statement."""
    text = str(getattr(error, "orig", None) or error) or type(error).__name__
    return text.splitlines()[0]


def told(before: Revisions, after: Revisions) -> str:
    """Say what was done."""
    if before.is_ahead:
        return f"Nothing to do: a later release has migrated the database, to {before.current}."
    if before.current == after.current:
        return f"Nothing to do: the database is at {after.current}."
    return f"The database was {before.current or 'empty'} and is at {after.current} now."
