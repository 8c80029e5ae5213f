"""docker-compose.yml: what a machine needs in order to keep the service up."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from tests.packaging.checkout import ROOT

from incident_service.cli import app
from incident_service.cli.serving import GRACE_S
from incident_service.settings import PREFIX, Settings

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {
    name: service
    for name, service in SERVICES.items()
    if "/" not in service["image"] and service["image"].startswith("incident-service:")
}
LONG_RUNNING = SERVICES.keys() - {"migrate"}


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_is_an_exact_release(name):
    _, _, tag = SERVICES[name]["image"].partition(":")

    assert re.fullmatch(r"\d+\.\d+(\.\d+)?(-[a-z]+)?", tag)


def test_our_image_has_the_version_of_the_project():
    project = (ROOT / "pyproject.toml").read_text()
    version = re.search(r'^version = "(.+)"', project, re.MULTILINE)

    assert version
    assert {service["image"] for service in OURS.values()} == {f"incident-service:{version[1]}"}
    assert OURS.keys() == {"migrate", "api", "worker"}


def test_one_service_builds_our_image_and_nobody_pulls_it():
    assert [name for name in OURS if "build" in OURS[name]] == ["migrate"]
    assert {service["pull_policy"] for service in OURS.values()} == {"never"}


@pytest.mark.parametrize("name", sorted(LONG_RUNNING))
def test_what_runs_for_long_is_watched_and_started_again(name):
    assert SERVICES[name]["restart"] == "unless-stopped"
    assert SERVICES[name]["healthcheck"]["test"]


def test_migrations_are_finished_before_anything_serves():
    assert SERVICES["migrate"]["restart"] == "on-failure"
    for name in ("api", "worker"):
        needed = SERVICES[name]["depends_on"]
        assert needed["migrate"]["condition"] == "service_completed_successfully"


def test_postgres_is_waited_for_and_valkey_is_not():
    for name in ("api", "worker"):
        needed = SERVICES[name]["depends_on"]
        assert needed["postgres"]["condition"] == "service_healthy"
        assert needed["valkey"]["condition"] == "service_started"
    assert SERVICES["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}


def test_the_api_is_healthy_when_it_is_ready_and_the_worker_when_it_is_alive():
    assert '"/readyz"' in SERVICES["api"]["healthcheck"]["test"][-1]
    assert SERVICES["worker"]["healthcheck"]["test"][-2:] == ["worker", "--check-alive"]


def test_a_stop_waits_longer_than_open_requests_may_take():
    assert int(SERVICES["api"]["stop_grace_period"].removesuffix("s")) > GRACE_S


def test_data_is_kept_in_named_volumes():
    mounts = [mount for service in SERVICES.values() for mount in service.get("volumes", [])]

    assert dict(mount.split(":") for mount in mounts) == {
        "postgres": "/var/lib/postgresql",
        "valkey": "/data",
    }
    assert COMPOSE["volumes"].keys() == {"postgres", "valkey"}


def test_only_the_api_can_be_reached_and_from_this_machine_alone():
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}

    assert published == {"api": ["${PUBLISH_ADDRESS:-127.0.0.1:8080}:8080"]}


def test_the_servers_of_data_are_on_a_network_without_a_way_out():
    assert COMPOSE["networks"]["data"]["internal"] is True
    assert SERVICES["postgres"]["networks"] == SERVICES["valkey"]["networks"] == ["data"]


@pytest.mark.parametrize("name", OURS)
def test_our_containers_may_do_nothing_that_they_need_not(name):
    service = OURS[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_no_secret_is_written_in_the_file():
    secrets = {"password", "token", "key", "secret", "url"}
    written = {
        name: value
        for service in SERVICES.values()
        for name, value in service.get("environment", {}).items()
        if secrets & set(name.lower().split("_")) and not name.endswith("_FILE")
    }

    assert written == {"INCIDENT_SERVICE_REDIS_URL": "redis://valkey:6379/0"}


def test_every_secret_that_is_read_is_mounted():
    for service in SERVICES.values():
        files = [
            Path(value)
            for name, value in service.get("environment", {}).items()
            if name.endswith("_FILE")
        ]
        assert sorted(file.name for file in files) == sorted(service.get("secrets", []))
        assert {str(file.parent) for file in files} <= {"/run/secrets"}


@pytest.mark.parametrize("name", OURS)
def test_every_command_is_one_of_the_program(name):
    program = typer.main.get_command(app)

    assert OURS[name]["command"][0] in program.commands  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_a_setting(name):
    settings = {f"{PREFIX}{field.upper()}" for field in Settings.model_fields}
    given = {variable.removesuffix("_FILE") for variable in OURS[name]["environment"]}

    assert given <= settings
