"""A real Alertmanager in a process of its own, driven through its HTTP API as Prometheus does."""

import asyncio
import re
import shutil
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.receiver import until
from tests.waiting import eventually

from incident_service.core.clock import utc_now

NAMES = ("prometheus-alertmanager", "alertmanager")
LEASE = timedelta(minutes=5)
STOPS_WITHIN_S = 10
LISTENS_AT = re.compile(r'msg="Listening on" address=(\S+)')
FAILED_TRIES = re.compile(
    r'^alertmanager_notification_requests_failed_total\{integration="webhook".*} (\d+)$',
    re.MULTILINE,
)


@dataclass(frozen=True)
class Alert:
    """One alert of Prometheus; `instance` tells those of one name apart."""

    name: str
    instance: str = "db-1"
    starts_at: datetime = field(default_factory=utc_now)

    def until(self, ends_at: datetime) -> dict[str, Any]:
        """Write it as Prometheus does: it fires until `ends_at`, unless it is sent again."""
        return {
            "labels": {
                "alertname": self.name,
                "instance": self.instance,
                "severity": "critical",
            },
            "annotations": {"summary": f"{self.name} of {self.instance}"},
            "startsAt": self.starts_at.isoformat(),
            "endsAt": ends_at.isoformat(),
            "generatorURL": "http://prometheus.example/graph",
        }


@dataclass(frozen=True)
class Alertmanager:
    """A running Alertmanager."""

    api: httpx.AsyncClient

    async def fire(self, *alerts: Alert) -> None:
        """Say that the alerts fire."""
        await self._post([alert.until(utc_now() + LEASE) for alert in alerts])

    async def resolve(self, *alerts: Alert) -> None:
        """Say that the alerts have just ended."""
        await self._post([alert.until(utc_now()) for alert in alerts])

    async def _post(self, alerts: list[dict[str, Any]]) -> None:
        answer = await self.api.post("/api/v2/alerts", json=alerts)
        assert answer.status_code == 200, answer.text

    async def failed_tries(self) -> int:
        """Count the webhooks that were not answered, or not with a 2xx."""
        answer = await self.api.get("/metrics")
        (count,) = FAILED_TRIES.findall(answer.text)
        return int(count)

    async def is_ready(self) -> bool:
        return (await self.api.get("/-/ready")).is_success


@asynccontextmanager
async def alertmanager(configuration: str, directory: Path) -> AsyncIterator[Alertmanager]:
    """Run an Alertmanager; pytest shows its log when the test fails."""
    file = directory / "alertmanager.yml"
    file.write_text(configuration)
    log = directory / "alertmanager.log"
    with log.open("w") as output:
        process = await asyncio.create_subprocess_exec(
            find_binary(),
            f"--config.file={file}",
            f"--storage.path={directory / 'data'}",
            "--web.listen-address=127.0.0.1:0",
            "--cluster.listen-address=",
            stdout=output,
            stderr=output,
        )
    try:
        address = await find_address(process, log)
        async with httpx.AsyncClient(base_url=f"http://{address}", trust_env=False) as api:
            running = Alertmanager(api)
            await eventually(running.is_ready, "Alertmanager to be ready")
            yield running
    finally:
        await stop(process)
        sys.stdout.write(log.read_text())


async def find_address(process: Process, log: Path) -> str:
    """Return the address that it chose for itself, as `127.0.0.1:port`."""

    def has_settled() -> bool:
        return process.returncode is not None or address_in(log) is not None

    await until(has_settled, 20, "Alertmanager to listen")
    address = address_in(log)
    assert address is not None, "Alertmanager has ended; its log says why"
    return address


def address_in(log: Path) -> str | None:
    found = LISTENS_AT.search(log.read_text())
    return found[1] if found else None


async def stop(process: Process) -> None:
    if process.returncode is None:
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOPS_WITHIN_S)
    except TimeoutError:
        process.kill()
        await process.wait()


def find_binary(search_path: str | None = None) -> str:
    """Return the program; a test that needs it fails when it is not installed."""
    for name in NAMES:
        if found := shutil.which(name, path=search_path):
            return found
    pytest.fail("Alertmanager is needed: install the package prometheus-alertmanager.")
