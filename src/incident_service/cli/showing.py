"""Show how a worker fares, beside its work: `/livez` and `/metrics` at a port of its own."""

import asyncio
from functools import partial

import structlog

from incident_service.cli.serving import bind, make_server, serve
from incident_service.core.runtime import Runtime
from incident_service.core.stopping import stops_within
from incident_service.heartbeat.gauges import measure
from incident_service.observability.health import create_health_app
from incident_service.web.middleware.methods import Methods

log = structlog.get_logger()
AGAIN_S = 10.0
GRACE_S = 1


async def show_health(
    runtime: Runtime, stopping: asyncio.Event, *, again_s: float = AGAIN_S
) -> None:
    """Serve until `stopping` is set.

    A port that cannot be had is logged once and tried again: another worker of this machine may
    have it, or the one that this one replaces. Pages do not wait for that.
    """
    said = False
    while not stopping.is_set():
        try:
            await show_once(runtime, stopping)
        except Exception as error:  # noqa: BLE001 - paging goes on, whatever is wrong here
            if not said:
                log.warning("worker.not_shown", error=str(error), again_in_s=again_s)
            said = True
        await stops_within(stopping, again_s)


async def show_once(runtime: Runtime, stopping: asyncio.Event) -> None:
    """Take the port and serve until `stopping` is set.

    Raises:
        CannotRun: the port cannot be had.
    """
    settings = runtime.settings
    app = create_health_app(settings, partial(measure, runtime))
    app.add_middleware(Methods)
    with bind(
        settings.host, settings.worker_port, otherwise="INCIDENT_SERVICE_WORKER_PORT"
    ) as listening:
        log.info("worker.shown", host=settings.host, port=listening.getsockname()[1])
        await serve(make_server(app, grace_s=GRACE_S), listening, stopping)
