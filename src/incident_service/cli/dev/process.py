"""All in one process, for a fresh machine: servers, tables, API, worker, something to try."""

import asyncio
import os
import signal
import socket
import sys
from contextlib import ExitStack
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr
from sqlalchemy.exc import IntegrityError

from incident_service.cli.dev.banner import Facts, banner
from incident_service.cli.dev.handover import work_unless_wanted
from incident_service.cli.dev.keys import (
    DevKeys,
    Running,
    keep_secret_key,
    read_keys,
    write_keys,
)
from incident_service.cli.dev.reach import Reach, read_reach, with_sender
from incident_service.cli.environment import (
    as_environment,
    configure_logging,
    load_settings,
    recording_spans,
)
from incident_service.cli.failing import CannotRun
from incident_service.cli.migrating import migrate
from incident_service.cli.running import run, side_by_side, stop_on_signals, stop_without
from incident_service.cli.seed import Keys, seed
from incident_service.cli.serving import bind, make_server, serve, with_bound_port
from incident_service.cli.starting import prepare, watch_clock
from incident_service.cli.working import open_worker
from incident_service.core.runtime import Runtime, open_runtime
from incident_service.core.stopping import stops_within
from incident_service.embedded import EmbeddedPostgres, EmbeddedValkey, default_data_dir
from incident_service.main import create_serving_app
from incident_service.settings import Settings

DEFAULTS: dict[str, Any] = {
    "escalation_minute_seconds": 5.0,
    "outbound_allow": (ip_network("127.0.0.0/8"), ip_network("::1/128")),
    "log_level": "WARNING",  # so that pages stand out
    "log_json": False,
}
# Where this process lives, how it is begun, and what it says in its terminal.
NOT_FOR_WORKERS = {"data_dir", "worker_port", "bootstrap_api_key", "log_level", "log_json"}
SHARED_WITH_WORKERS = tuple(name for name in Settings.model_fields if name not in NOT_FOR_WORKERS)
GRACE_S = 2
READY_WITHIN_S = 30.0
LOOK_EVERY_S = 0.05


def run_dev(port: int | None, parent: int | None = None) -> None:
    """Start everything that is missing and work until a signal, or until the parent has ended.

    Raises:
        CannotRun: something is in the way; the message says what to do.
        EmbeddedError: PostgreSQL or Valkey cannot be started.
    """
    settings = dev_settings(port)
    configure_logging(settings)
    reach = read_reach(os.environ, settings)
    settings = with_sender(settings, reach)
    directory = (settings.data_dir or default_data_dir()).expanduser().absolute()
    # Until the event loop takes over: leave like Ctrl-C does, with the servers stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ExitStack() as resources:
        resources.enter_context(recording_spans(settings))
        listening = resources.enter_context(bind(settings.host, settings.port))
        settings = with_bound_port(settings, listening)
        settings = start_missing_servers(settings, directory, resources)
        settings = with_secret_key(settings, directory)
        migrate(settings.database_url)
        run(work(settings, reach, directory, listening, parent))
    print(f"Stopped. The data is in {directory}.")


def dev_settings(port: int | None) -> Settings:
    """Read the settings, with defaults for a terminal on one's own machine."""
    settings = load_settings(**({} if port is None else {"port": port}))
    unset = {
        name: value for name, value in DEFAULTS.items() if name not in settings.model_fields_set
    }
    return settings.model_copy(update=unset)


def start_missing_servers(settings: Settings, directory: Path, resources: ExitStack) -> Settings:
    """Start a server of our own for each address that is not set, and fill the address in."""
    addresses: dict[str, str] = {}
    if not settings.database_url:
        print(f"Starting PostgreSQL in {directory} …", flush=True)
        addresses["database_url"] = resources.enter_context(EmbeddedPostgres(directory)).url
    if not settings.redis_url:
        addresses["redis_url"] = resources.enter_context(EmbeddedValkey(directory)).url
    return settings.model_copy(update=addresses)


def with_secret_key(settings: Settings, directory: Path) -> Settings:
    """Fill in the key of links, unless one is set."""
    if settings.secret_key:
        return settings
    return settings.model_copy(update={"secret_key": SecretStr(keep_secret_key(directory))})


async def work(
    settings: Settings,
    reach: Reach,
    directory: Path,
    listening: socket.socket,
    parent: int | None,
) -> None:
    """Be API and worker in one, until a signal or until the parent has ended."""
    stopping = asyncio.Event()
    stop_on_signals(stopping)
    async with (
        open_runtime(settings) as runtime,
        open_worker(runtime, console=sys.stdout) as worker,
    ):
        keys = await prepare_keys(runtime, reach, directory)
        app = create_serving_app(runtime)
        server = make_server(app, grace_s=GRACE_S, head_bytes=settings.header_bytes)
        await side_by_side(
            stopping,
            serve(server, listening, stopping),
            app.state.streams.stop_with(stopping),
            work_unless_wanted(worker.run, directory, stopping),
            prepare(runtime, stopping, with_key=True),
            watch_clock(runtime, stopping),
            stop_without(parent, stopping),
            say_when_ready(settings, keys, reach, directory, stopping),
        )
    forget_running(directory)


async def prepare_keys(runtime: Runtime, reach: Reach, directory: Path) -> DevKeys:
    """Make what there is to try, and write down how to get at it.

    Raises:
        CannotRun: something of the same name is in the way.
    """
    kept = read_keys(directory)
    known = Keys(kept.api_key, kept.integration_key)
    before = Reach(kept.ntfy_topic, kept.email)
    try:
        made = await runtime.transactions.run(lambda tx: seed(tx, known, reach, before))
    except IntegrityError as error:
        raise CannotRun(
            "The demo team cannot be made: the database has another team or user of its name. "
            "Rename that, or let `dev` use a database of its own."
        ) from error
    settings = runtime.settings
    keys = DevKeys(
        api_key=made.api_key,
        integration_key=made.integration_key,
        secret_key=kept.secret_key,
        ntfy_topic=reach.ntfy_topic,
        email=reach.email,
        running=Running(
            url=settings.local_url,
            pid=os.getpid(),
            environment=as_environment(settings, SHARED_WITH_WORKERS),
        ),
    )
    write_keys(directory, keys)
    return keys


def forget_running(directory: Path) -> None:
    """Write down that this process serves no more, unless another one has begun meanwhile."""
    keys = read_keys(directory)
    if keys.running and keys.running.pid == os.getpid():
        write_keys(directory, keys.model_copy(update={"running": None}))


async def say_when_ready(
    settings: Settings, keys: DevKeys, reach: Reach, directory: Path, stopping: asyncio.Event
) -> None:
    """Print the banner once the server really answers.

    Raises:
        CannotRun: it does not.
    """
    try:
        async with asyncio.timeout(READY_WITHIN_S), httpx.AsyncClient(trust_env=False) as client:
            while not await is_ready(client, settings.local_url):
                if await stops_within(stopping, LOOK_EVERY_S):
                    return
    except TimeoutError as error:
        raise CannotRun(f"The service does not become ready at {settings.local_url}.") from error
    facts = Facts(
        url=settings.base_url,
        api_key=keys.api_key,
        integration_key=keys.integration_key,
        data_dir=directory,
        minute_s=settings.escalation_minute_seconds,
        told_also_by=tuple(
            f"{channel} {address}" for channel, address in reach.by_channel().items() if address
        ),
    )
    print(banner(facts), flush=True)


async def is_ready(client: httpx.AsyncClient, url: str) -> bool:
    """Say whether the service can store alerts."""
    try:
        return (await client.get(f"{url}/readyz")).is_success
    except httpx.TransportError:
        return False
