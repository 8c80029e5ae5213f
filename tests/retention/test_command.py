"""`incident-service prune`, as an operator runs it."""

from datetime import UTC, datetime
from pathlib import Path

from tests import factories
from tests.shell import Shell

from incident_service.incidents.lifecycle import Status

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


async def test_the_command_counts_then_forgets(tmp_path: Path, stage, database_url):
    shell = Shell(tmp_path)
    async with stage.transactions.open() as tx:
        await factories.make_incident(
            tx, stage.service, status=Status.CLOSED, created_at=LONG_AGO, closed_at=LONG_AGO
        )

    counted = await shell.run("prune", "--dry-run", database_url=database_url)
    kept = await stage.incidents()
    done = await shell.run("prune", database_url=database_url)

    assert (counted[0], done[0]) == (0, 0)
    assert ": 1 would go" in counted[1]
    assert len(kept) == 1
    assert ": 1 incidents gone" in done[1]
    assert await stage.incidents() == []
