"""`make secrets`: made once, read by containers, closed to other people."""

import stat
import subprocess
from pathlib import Path

import pytest
import yaml
from tests.packaging.checkout import ROOT

from incident_service.settings import Settings


def make_secrets(directory: Path) -> dict[str, str]:
    subprocess.run(
        ["sh", ROOT / "scripts" / "make-secrets", directory],
        umask=0o077,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return {path.name: path.read_text() for path in directory.iterdir()}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "secrets"


def test_a_second_run_keeps_what_is_there(directory):
    first = make_secrets(directory)

    assert make_secrets(directory) == first


def test_a_lost_file_comes_back_and_fits_the_others(directory):
    first = make_secrets(directory)
    (directory / "database_url.txt").unlink()

    assert make_secrets(directory) == first


def test_every_installation_has_secrets_of_its_own(directory, tmp_path):
    here, there = make_secrets(directory), make_secrets(tmp_path / "elsewhere")

    assert all(here[name] != there[name] for name in here)


def test_containers_can_read_what_other_people_cannot_reach(directory):
    make_secrets(directory)

    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o644}


def test_they_are_the_files_that_compose_mounts(directory):
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    mounted = {Path(secret["file"]).name for secret in compose["secrets"].values()}

    assert make_secrets(directory).keys() == mounted


def test_the_settings_take_them(directory):
    made = make_secrets(directory)
    settings = Settings(
        _env_file=None,
        database_url=made["database_url.txt"].strip(),
        bootstrap_api_key=made["bootstrap_api_key.txt"].strip(),
    )

    password = made["postgres_password.txt"].strip()
    assert f":{password}@postgres:5432/" in settings.database_url
