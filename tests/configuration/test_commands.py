"""`incident-service apply | export | schema`, as an operator runs them."""

from pathlib import Path

import pytest
from tests.shell import Shell

FILE = """
users: [{name: First, email: first@example.org}]
teams:
  - name: Payments
    services: [{name: Checkout, integrations: [{name: Alertmanager, kind: alertmanager}]}]
webhook_subscriptions: [{name: Archive, url: 'https://archive.example/in'}]
"""


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "oncall.yaml"
    path.write_text(FILE)
    return path


async def test_a_dry_run_shows_everything_and_changes_nothing(shell, file, database_url, api):
    code, said = await shell.run("apply", "-f", file, "--dry-run", database_url=database_url)

    assert code == 0
    assert "+ service Payments / Checkout" in said
    assert "This was a dry run" in said
    assert "+ webhook subscription Archive" in said
    assert "isi_" not in said
    assert "whsec_" not in said
    assert (await api.get("/v1/teams")).json()["items"] == []


async def test_what_was_applied_is_exported(shell, file, database_url, transactions):
    code, said = await shell.run("apply", "-f", file, database_url=database_url)
    exported = await shell.run("export", database_url=database_url)

    assert code == 0
    assert "5 to create, 0 to change, 0 to delete." in said
    assert (
        "key of integration Payments / Checkout / Alertmanager, shown this one time: isi_" in said
    )
    assert "secret of webhook subscription Archive, shown this one time: whsec_" in said
    assert '"event": "audit.recorded"' in said
    assert exported[0] == 0
    assert "name: Archive" in exported[1]
    assert "whsec_" not in exported[1]
    assert "name: Checkout" in exported[1]


async def test_a_file_that_is_wrong_ends_in_words(shell, file, database_url, transactions):
    file.write_text(FILE.replace("name: Checkout", "name: Checkout, grouping: moon"))

    code, said = await shell.run("apply", "-f", file, database_url=database_url)

    assert code == 1
    assert "teams[Payments].services[Checkout].grouping" in said
    assert "Traceback" not in said


async def test_a_change_that_cannot_be_made_ends_in_words(shell, file, database_url, transactions):
    services = "services: [{name: S, external_id: s}]"
    file.write_text(f"teams: [{{name: A, {services}}}, {{name: B, {services}}}]")

    code, said = await shell.run("apply", "-f", file, database_url=database_url)

    assert code == 1
    assert "service B / S: Another service has this external_id" in said
    assert "Nothing has been changed." in said


async def test_the_schema_is_printed(shell):
    code, said = await shell.run("schema")

    assert code == 0
    assert '"title": "Configuration of incident-service"' in said
