"""Serve the API."""

import asyncio
import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
import uvicorn
from starlette.types import ASGIApp

from incident_service.cli.bounded_head import BoundedHead
from incident_service.cli.failing import CannotRun
from incident_service.cli.running import side_by_side, stop_on_signals
from incident_service.cli.starting import prepare, watch_clock
from incident_service.core.runtime import open_runtime
from incident_service.main import create_serving_app
from incident_service.settings import Settings

log = structlog.get_logger()
# Longer than the longest transaction, so that each request is answered, if only with 503.
GRACE_S = 15
HEAD_BYTES = 64 * 1024
# Longer than the proxies and pools in front keep a connection that is idle: whoever closes first
# must not be the one that the next request is on its way to.
KEEP_ALIVE_S = 75


class Server(uvicorn.Server):
    """A server that leaves signals to its process, which has more to stop than this."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def bind(
    host: str, port: int, *, otherwise: str = "INCIDENT_SERVICE_PORT, or --port"
) -> socket.socket:
    """Take the port, without accepting connections yet; `otherwise` is how to choose another.

    Raises:
        CannotRun: it cannot be had.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            # Listening now, not when serving begins, is what makes a taken port known here.
            listening.listen(0)
        except BaseException:
            listening.close()
            raise
    except OSError as error:
        raise CannotRun(why_not_bound(host, port, error, otherwise)) from error
    return listening


def why_not_bound(host: str, port: int, error: OSError, otherwise: str) -> str:
    """Say why the port cannot be had, and what to do."""
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} of {host} is taken by another program. "
            f"Choose another one with {otherwise}."
        )
    return f"Cannot listen at port {port} of {host}: {error.strerror or error}."


def with_bound_port(settings: Settings, listening: socket.socket) -> Settings:
    """Fill in the port that the system chose for port 0."""
    return settings.model_copy(update={"port": listening.getsockname()[1]})


def make_server(app: ASGIApp, *, grace_s: int = GRACE_S, head_bytes: int = HEAD_BYTES) -> Server:
    """Make a server that trusts no proxy headers and gives open requests `grace_s` to end."""
    config = uvicorn.Config(
        app,
        http=BoundedHead,
        ws="none",  # there are none: whoever offers to go on as one is answered as anybody
        h11_max_incomplete_event_size=head_bytes,
        lifespan="off",  # resources are opened and closed around the server
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=grace_s,
        timeout_keep_alive=KEEP_ALIVE_S,
    )
    return Server(config)


async def serve(server: Server, listening: socket.socket, stopping: asyncio.Event) -> None:
    """Serve until `stopping` is set; then finish open requests."""
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    asked = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({serving, asked}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
    finally:
        asked.cancel()


async def run_api(settings: Settings, listening: socket.socket) -> None:
    """Be an API process, until a signal.

    A database that is away at the start is waited for: the process is up, and not ready.

    Raises:
        DomainError: a setting cannot be used.
    """
    stopping = asyncio.Event()
    stop_on_signals(stopping)
    async with open_runtime(settings) as runtime:
        log.info("api.starts", host=settings.host, port=settings.port)
        app = create_serving_app(runtime)
        server = make_server(app, head_bytes=settings.header_bytes)
        await side_by_side(
            stopping,
            serve(server, listening, stopping),
            app.state.streams.stop_with(stopping),
            prepare(runtime, stopping, with_key=True),
            watch_clock(runtime, stopping),
        )
    log.info("api.stopped")
