"""Where the demo plays: at a named service, at the `dev` that runs, or at one of its own."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from incident_service.cli.demo.service import Access
from incident_service.cli.demo.waiting import eventually
from incident_service.cli.demo.worker import command
from incident_service.cli.dev.handover import Taken, wait_for_seat, wanting
from incident_service.cli.dev.keys import find_running, read_keys
from incident_service.cli.environment import load_settings
from incident_service.cli.failing import CannotRun
from incident_service.embedded import default_data_dir
from incident_service.settings import PREFIX

STARTS_WITHIN_S = 60.0
STOPS_WITHIN_S = 15.0
SEAT_WITHIN_S = 15.0
# Ten of these are the time that a person of the demo policy has to answer.
MINUTE_S = "3"
# By these `dev` would page somebody beside its terminal.
REACHES = ("NTFY_TOPIC", "EMAIL")


@dataclass(frozen=True, slots=True)
class Stage:
    """A service, and, when its `dev` lets us put a worker there, what that worker needs."""

    access: Access
    worker_environment: dict[str, str] | None = None

    @property
    def redis_url(self) -> str | None:
        """Return where its jobs are, if that is known."""
        return (self.worker_environment or {}).get(f"{PREFIX}REDIS_URL")


@asynccontextmanager
async def open_stage(wanted: Access) -> AsyncIterator[Stage]:
    """Find a service or start one, and take the place of its worker if that can be had.

    Raises:
        CannotRun: there is none, or another demo is at work there.
    """
    directory = (load_settings().data_dir or default_data_dir()).expanduser().absolute()
    running = find_running(directory)
    if running and await answers(running.url) and wanted.url in ("", running.url):
        print(f"Playing at the `dev` that runs at {running.url}.")
        async with take_place(directory, wanted) as stage:
            yield stage
    elif wanted.url:
        if not (wanted.api_key and wanted.integration_key):
            raise CannotRun("Give --api-key and --integration-key together with --url.")
        yield Stage(wanted)
    else:
        print(f"No `dev` is running with its data in {directory}.")
        print("Starting one for the demo, in a directory of its own …", flush=True)
        async with own_dev() as own, take_place(own, Access()) as stage:
            yield stage


@asynccontextmanager
async def take_place(directory: Path, wanted: Access) -> AsyncIterator[Stage]:
    """Have `dev` stop its worker for as long as this lasts.

    Raises:
        CannotRun: another demo has done so already.
    """
    keys = read_keys(directory)
    if keys.running is None:
        raise CannotRun("`dev` has just been stopped; start it again.")
    access = Access(
        keys.running.url,
        wanted.api_key or keys.api_key,
        wanted.integration_key or keys.integration_key,
    )
    try:
        with wanting(directory):
            await wait_for_seat(directory, SEAT_WITHIN_S)
            yield Stage(access, keys.running.environment)
    except Taken as error:
        raise CannotRun("Another demo is at work there; wait until it has ended.") from error
    except TimeoutError as error:
        raise CannotRun(
            "`dev` does not let go of its worker; stop it and start it anew."
        ) from error


@asynccontextmanager
async def own_dev() -> AsyncIterator[Path]:
    """Start a `dev` with nothing but defaults, and drill minutes that are shorter still."""
    directory = make_directory()
    plain = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(PREFIX) and name not in REACHES
    }
    chosen = {
        "DATA_DIR": str(directory / "data"),
        "ESCALATION_MINUTE_SECONDS": MINUTE_S,
        # Set, though empty, so that a .env file does not decide.
        "DATABASE_URL": "",
        "REDIS_URL": "",
    }
    with (directory / "dev.log").open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command("dev", "--port", "0"),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=plain | {PREFIX + name: value for name, value in chosen.items()},
            start_new_session=True,
        )
    try:
        if not await gets_ready(process, directory / "data"):
            raise CannotRun(f"`dev` cannot be started:\n{tail(directory / 'dev.log')}")
        yield directory / "data"
    finally:
        await stop(process)
        shutil.rmtree(directory, ignore_errors=True)


def make_directory() -> Path:
    """Make a short-lived directory; PostgreSQL, which does not run as root, may enter it."""
    directory = Path(tempfile.mkdtemp(prefix="incident-demo-", dir="/tmp"))
    directory.chmod(0o755)
    return directory


def tail(log: Path) -> str:
    """Return the end of a log."""
    return log.read_text(errors="replace")[-2000:]


async def gets_ready(process: asyncio.subprocess.Process, data: Path) -> bool:
    """Wait until `dev` answers; say whether it does."""

    async def look() -> bool | None:
        if process.returncode is not None:
            return False
        running = find_running(data)
        return (running is not None and await answers(running.url)) or None

    return bool(await eventually(look, within_s=STARTS_WITHIN_S))


async def stop(process: asyncio.subprocess.Process) -> None:
    """Let it stop its servers and end."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)
    try:
        await asyncio.wait_for(process.wait(), STOPS_WITHIN_S)
    except TimeoutError:
        process.kill()
        await process.wait()


async def answers(url: str) -> bool:
    """Say whether a service can store alerts there."""
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=3) as client:
            return (await client.get(f"{url}/readyz")).is_success
    except httpx.TransportError:
        return False
