"""Forget what is older than the settings say, or count it."""

import asyncio
from collections import Counter
from datetime import datetime

from incident_service.cli.configuring import open_transactions, require_present_release
from incident_service.cli.database import open_database
from incident_service.cli.environment import load_settings
from incident_service.cli.failing import CannotRun
from incident_service.cli.migrating import described
from incident_service.core.db import DATABASE_AWAY, Transactions
from incident_service.retention.jobs import prune_all
from incident_service.retention.pruning import KINDS, Kind, count_old
from incident_service.retention.terms import Terms, terms_of
from incident_service.settings import Settings

MOST_COUNTED = 100_000


def run_prune(*, dry_run: bool) -> None:
    """Forget or count, and say how much it was.

    Raises:
        CannotRun: the database is away, or of another release.
    """
    settings = load_settings()
    with open_database(settings, make=False) as url:
        require_present_release(url)
        try:
            asyncio.run(prune(url, settings, dry_run=dry_run))
        except DATABASE_AWAY as error:
            raise CannotRun(f"The database did not do it: {described(error)}") from error


async def prune(url: str, settings: Settings, *, dry_run: bool) -> None:
    """Print a line for each kind."""
    async with open_transactions(url, settings.sealing_keys) as transactions:
        for line in await report(transactions, terms_of(settings), dry_run=dry_run):
            print(line, flush=True)


async def report(transactions: Transactions, terms: Terms, *, dry_run: bool) -> list[str]:
    """Forget or count each kind; return a line for each."""
    lines = []
    for kind in KINDS:
        keep = kind.keep(terms)
        if keep is None:
            lines.append(f"{kind.name}: kept for ever")
            continue
        before = transactions.clock() - keep
        since = f"{kind.name} until {before:%Y-%m-%d}"
        if dry_run:
            lines.append(f"{since}: {await counted(transactions, kind, before)} would go")
        else:
            lines.append(f"{since}: {told(await prune_all(transactions, kind, before))}")
    return lines


async def counted(transactions: Transactions, kind: Kind, before: datetime) -> str:
    """Count what would go, as far as that takes no long statement."""
    async with transactions.open() as tx:
        count = await count_old(tx, kind, before, MOST_COUNTED)
    return f"{count} or more" if count == MOST_COUNTED else str(count)


def told(gone: Counter[str]) -> str:
    """Say what went."""
    each = [f"{count} {name}" for name, count in gone.items() if count]
    return f"{', '.join(each)} gone" if each else "nothing to forget"
