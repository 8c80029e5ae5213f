"""What `doctor` says of a database whose LC_CTYPE has no letters but a to z."""

from typing import Any

from tests.conftest import execute

from incident_service.cli.doctor.finding import Finding, Level, Patient
from incident_service.cli.doctor.process import STAGES
from incident_service.cli.doctor.servers import check_letters
from incident_service.cli.openapi import NOWHERE
from incident_service.core.runtime import open_runtime
from incident_service.settings import Settings

FEW_LETTERS = "LOCALE_PROVIDER libc LC_COLLATE 'C' LC_CTYPE 'C'"


async def examine(url: str) -> Finding:
    servers: dict[str, Any] = NOWHERE | {"database_url": url}
    settings = Settings(_env_file=None, **servers)
    async with open_runtime(settings) as runtime:
        return await check_letters(Patient(settings, runtime))


def test_it_is_one_of_the_checks():
    assert check_letters in STAGES[-1].checks


async def test_the_embedded_server_knows_letters_of_all_scripts(database_url):
    finding = await examine(database_url)

    assert finding.level is Level.OK


async def test_a_database_that_knows_few_letters_is_warned_of(postgres, worker_id):
    name = f"few_letters_{worker_id}"
    url = postgres.database_url(name)
    await execute(postgres.url, f"CREATE DATABASE {name} TEMPLATE template0 {FEW_LETTERS}")
    await execute(url, "CREATE EXTENSION pg_trgm")

    finding = await examine(url)
    await execute(postgres.url, f"DROP DATABASE {name} WITH (FORCE)")

    assert finding.level is Level.WARNING
    assert "LC_CTYPE" in finding.what_to_do
