"""Run a worker, and say whether one is alive."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TextIO

import structlog

from incident_service.cli.running import side_by_side, stop_on_signals, stop_without
from incident_service.cli.showing import show_health
from incident_service.cli.starting import prepare
from incident_service.core.clock import utc_now
from incident_service.core.outbound import Outbound
from incident_service.core.reconciler import Sweep, Swept
from incident_service.core.runtime import Runtime, open_runtime
from incident_service.escalation import unreached
from incident_service.heartbeat.switch import LOOK_EVERY_S, Switch
from incident_service.notifications.answer_links import make_links
from incident_service.notifications.channels import make_channels
from incident_service.notifications.channels.secrets import secrets_of
from incident_service.notifications.delivery import Courier
from incident_service.settings import Settings
from incident_service.subscriptions.dispatch import Dispatcher
from incident_service.subscriptions.jobs import webhook_sweeps
from incident_service.worker import Worker

log = structlog.get_logger()
# A round of the reconciler may take 30 s when the database does not answer.
ALIVE_WITHIN_S = 60.0


@asynccontextmanager
async def open_worker(
    runtime: Runtime, *, console: TextIO | None, heartbeat: Path | None = None
) -> AsyncIterator[Worker]:
    """Make a worker; with a `console` it prints the pages of console contacts there."""
    settings = runtime.settings
    outbound = Outbound(settings.outbound_allow)
    channels = make_channels(settings, outbound, console)
    courier = Courier(
        runtime.transactions,
        channels,
        settings.base_url,
        links=make_links(settings),
        secrets=secrets_of(settings),
        given_up=unreached.go_on,
    )
    dispatcher = Dispatcher(runtime.transactions, outbound)
    more = webhook_sweeps(runtime.transactions, dispatcher)
    if heartbeat:
        more.append(Sweep("heartbeat", lambda: beat(heartbeat)))
    if settings.heartbeat_url:
        switch = Switch(runtime.transactions, outbound, settings.heartbeat_url.get_secret_value())
        more.append(Sweep("dead_mans_switch", switch.sweep, every_s=LOOK_EVERY_S))
    try:
        yield Worker(runtime, courier, more=more)
    finally:
        await courier.aclose()
        await dispatcher.aclose()
        await outbound.aclose()


async def run_worker(
    settings: Settings, *, console: TextIO | None, parent: int | None = None
) -> None:
    """Be a worker process, until a signal or until the parent has ended.

    Raises:
        DomainError: a setting cannot be used.
    """
    stopping = asyncio.Event()
    stop_on_signals(stopping)
    async with (
        open_runtime(settings) as runtime,
        open_worker(runtime, console=console, heartbeat=heartbeat_file()) as worker,
    ):
        log.info("worker.starts")
        await side_by_side(
            stopping,
            worker.run(stopping),
            prepare(runtime, stopping, with_key=False),
            show_health(runtime, stopping),
            stop_without(parent, stopping),
        )
    log.info("worker.stopped")


def heartbeat_file() -> Path:
    """Return the file that this user's workers touch in each round of their reconciler."""
    return Path(tempfile.gettempdir()) / f"incident-service-worker-{os.geteuid()}.alive"


async def beat(path: Path) -> Swept:
    """Touch the file; it may not be a link that another user has put there."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.utime(file)
    finally:
        os.close(file)
    return Swept()


def is_alive(path: Path) -> bool:
    """Say whether a worker has lately begun a round."""
    if not path.exists():
        return False
    return utc_now().timestamp() - path.stat().st_mtime < ALIVE_WITHIN_S
