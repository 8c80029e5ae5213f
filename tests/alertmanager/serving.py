"""Put the API at an address that another process can reach."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from starlette.types import ASGIApp

from incident_service.cli.serving import bind, make_server, serve

HOST = "127.0.0.1"


@asynccontextmanager
async def serving(app: ASGIApp, port: int = 0) -> AsyncIterator[str]:
    """Serve as the product does, at a free port unless one is given; say at which address."""
    listening = bind(HOST, port)
    stopping = asyncio.Event()
    task = asyncio.create_task(serve(make_server(app), listening, stopping))
    try:
        yield base_url(listening.getsockname()[1])
    finally:
        stopping.set()
        await task


@contextmanager
def kept_port() -> Iterator[int]:
    """Keep a port from everybody else, so that a service can leave it and come back to it."""
    with socket.socket() as keeper:
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeper.bind((HOST, 0))
        yield keeper.getsockname()[1]


def base_url(port: int) -> str:
    return f"http://{HOST}:{port}"


def ingest_url(base: str) -> str:
    return f"{base}/v1/ingest/alertmanager"
