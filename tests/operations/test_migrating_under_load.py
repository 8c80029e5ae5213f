"""Migrations run while a release that does not know them serves on."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from tests.api_steps import Customer, firing, set_up
from tests.conftest import ROOT, alembic_config, run_migrations
from tests.migrations.test_migrations import ask
from tests.running import drill_settings, running

from incident_service.core.clock import monotonic_s
from incident_service.core.db import LONGEST_TRANSACTION_S, make_engine
from incident_service.core.stopping import stops_within

pytestmark = pytest.mark.faults

NEXT_RELEASE = '''
"""What a later release adds."""

from alembic import op

revision = "next"
down_revision = "{head}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE alerts ADD COLUMN of_a_later_release text")


def downgrade() -> None:
    op.execute("ALTER TABLE alerts DROP COLUMN of_a_later_release")
'''


@pytest.fixture
async def database(new_database: str) -> str:
    await run_migrations(new_database)
    return new_database


@pytest.fixture
async def customer(database: str, valkey) -> AsyncIterator[Customer]:
    """A service that is at work: its connections have seen the tables as they were."""
    async with running(drill_settings(database, valkey.url, 60)) as service:
        customer = await set_up(service.api, ["https://pager.example/one"])
        await customer.webhook(firing("Before"))
        yield customer


@pytest.fixture
def next_release(database: str, tmp_path: Path) -> Config:
    """A later release's migrations: all of ours, and one more."""
    shutil.copytree(ROOT / "migrations", tmp_path / "migrations")
    config = alembic_config(database)
    config.set_main_option("script_location", str(tmp_path / "migrations"))
    head = ScriptDirectory.from_config(config).get_current_head()
    (tmp_path / "migrations" / "versions" / "next.py").write_text(NEXT_RELEASE.format(head=head))
    return config


async def until_somebody_waits(database: str) -> None:
    """Wait until a session waits for a lock on a table."""
    waiting = "SELECT FROM pg_locks WHERE NOT granted AND relation = 'alerts'::regclass"
    async with asyncio.timeout(20):
        while not await ask(database, waiting):
            await stops_within(asyncio.Event(), 0.02)


async def test_a_release_serves_on_under_a_later_schema(customer, next_release):
    await asyncio.to_thread(command.upgrade, next_release, "head")

    answers = [await customer.webhook(firing(name)) for name in ("Before", "After")]
    incidents = await customer.incidents()
    acknowledged = await customer.do("acknowledge", incidents[0]["id"])

    assert [answer.status_code for answer in answers] == [202, 202]
    assert {incident["title"] for incident in incidents} == {"Before", "After"}
    assert acknowledged.status_code == 200


async def test_a_migration_that_waits_gives_up_before_those_behind_it_do(
    customer, database, next_release
):
    engine = make_engine(database)
    async with engine.connect() as long_reader:
        await long_reader.execute(text("SELECT count(*) FROM alerts"))
        migration = asyncio.create_task(asyncio.to_thread(command.upgrade, next_release, "head"))
        await until_somebody_waits(database)
        began_s = monotonic_s()
        answer = await customer.webhook(firing("Meanwhile"))
        took_s = monotonic_s() - began_s
        with pytest.raises(DBAPIError, match="lock timeout"):
            await migration
    await engine.dispose()
    await asyncio.to_thread(command.upgrade, next_release, "head")
    again = await customer.webhook(firing("Meanwhile"))

    assert (answer.status_code, again.status_code) == (202, 202)
    assert took_s < LONGEST_TRANSACTION_S
