"""Apply a configuration file, write one of what is there, and print what such a file may hold."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy.exc import IntegrityError

from incident_service.cli.database import open_database
from incident_service.cli.environment import load_settings
from incident_service.cli.failing import CannotRun
from incident_service.cli.migrating import described, look
from incident_service.configuration import files
from incident_service.configuration.actions import (
    Applied,
    ChangeFailed,
    carry_out,
    plan_changes,
)
from incident_service.configuration.differences import Plan
from incident_service.configuration.document import Document, json_schema
from incident_service.configuration.files import FileWrong
from incident_service.configuration.queries import as_document, load_present
from incident_service.core.clock import DatabaseClock
from incident_service.core.db import (
    DATABASE_AWAY,
    Transactions,
    Tx,
    make_engine,
    make_sessions,
    measure_on_connect,
)
from incident_service.core.errors import DomainError, Invalid
from incident_service.core.queue import NoQueue
from incident_service.main import all_conflicts
from incident_service.web.problems import constraint_name

Result = TypeVar("Result")
STANDARD_INPUT = Path("-")
LONGEST_S = 120.0
INDENT = 2


class TakenBack(Exception):
    """A dry run is over: nothing of it stays."""


def run_apply(file: Path, *, dry_run: bool, prune: bool) -> None:
    """Make the installation as the file says, all of it or nothing.

    A dry run does the same and takes it back, so it fails where the real one would.

    Raises:
        CannotRun: the file or a change cannot be used; the message says which and why.
    """
    document = read(file)

    async def work(tx: Tx) -> Applied:
        plan = await plan_changes(tx, document, prune=prune)
        show(plan)
        applied = await carry_out(tx, plan)
        for warning in applied.warnings:
            print(f"! {warning}")
        if dry_run:
            raise TakenBack
        return applied

    try:
        applied = in_transaction(work)
    except TakenBack:
        print("This was a dry run: nothing has been changed.")
        return
    except ChangeFailed as failed:
        raise CannotRun(f"{failed}: {reason_of(failed)} Nothing has been changed.") from failed
    for title, secret in applied.secrets:
        print(f"{title}, shown this one time: {secret}")


def run_export(schema: str) -> None:
    """Print the configuration as a file.

    Raises:
        CannotRun: the database cannot be read.
    """

    async def work(tx: Tx) -> Document:
        return as_document(await load_present(tx.session, with_history=False))

    sys.stdout.write(files.write(in_transaction(work), schema=schema))


def schema_text() -> str:
    """Return the JSON Schema of the file: the same text for the same release."""
    return json.dumps(json_schema(), indent=INDENT, ensure_ascii=False)


def read(file: Path) -> Document:
    """Read the file, or standard input for `-`.

    Raises:
        CannotRun: it cannot be read, or something in it is wrong.
    """
    try:
        text = sys.stdin.read() if file == STANDARD_INPUT else file.read_text("utf-8")
        return files.read(text)
    except OSError as error:
        raise CannotRun(f"{file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise CannotRun(f"{file} is not UTF-8.") from error
    except FileWrong as error:
        raise CannotRun(f"{file} cannot be used:\n{error}") from error


def show(plan: Plan) -> None:
    """Print a plan, a line for each change."""
    for change in plan.changes:
        print(change)
    print(plan.summary(), flush=True)


def reason_of(failed: ChangeFailed) -> str:
    """Say why a change cannot be made.

    Raises:
        BaseException: what it was, when it was not the file's fault.
    """
    match failed.__cause__:
        case Invalid(pointer=pointer) as refused if pointer:
            return f"{refused.detail} (at {pointer})"
        case DomainError() as refused:
            return refused.detail
        case IntegrityError() as refused:
            name = constraint_name(refused)
            return all_conflicts().get(name, f"It would break the rule {name}.")
        case ValueError() as wrong:
            return f"{wrong}."
        case other:
            raise other or failed


def in_transaction(work: Callable[[Tx], Awaitable[Result]]) -> Result:
    """Do something in one transaction of the database that is set, or of `dev`'s.

    Raises:
        CannotRun: there is none, it is away, or of another release.
    """
    settings = load_settings()
    with open_database(settings, make=False) as url:
        require_present_release(url)
        try:
            return asyncio.run(run(url, settings.sealing_keys, work))
        except DATABASE_AWAY as error:
            raise CannotRun(f"The database did not do it: {described(error)}") from error


def require_present_release(url: str) -> None:
    """Refuse a database whose tables this release does not know.

    Raises:
        CannotRun: it has to be migrated first, or cannot be reached.
    """
    try:
        revisions = look(url)
    except DATABASE_AWAY as error:
        raise CannotRun(f"The database cannot be reached: {described(error)}") from error
    if revisions.is_behind:
        raise CannotRun("The database is of an older release: run `incident-service migrate`.")


async def run(
    url: str, sealing_keys: Sequence[str], work: Callable[[Tx], Awaitable[Result]]
) -> Result:
    """Open the database and do something in a transaction."""
    async with open_transactions(url, sealing_keys) as transactions:
        return await transactions.run(work)


@asynccontextmanager
async def open_transactions(url: str, sealing_keys: Sequence[str]) -> AsyncIterator[Transactions]:
    """Open transactions that may take long, and that wake no worker."""
    clock = DatabaseClock()
    engine = make_engine(url, pool_size=1, sealing_keys=sealing_keys)
    measure_on_connect(engine, clock)
    try:
        yield Transactions(make_sessions(engine), NoQueue(), clock, longest_s=LONGEST_S)
    finally:
        await engine.dispose()
