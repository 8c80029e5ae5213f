"""SIGTERM: what has begun is finished, within a bound."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import select
from tests.api_steps import firing, set_up
from tests.operations.conftest import webhook_to
from tests.processes import Command, command, environment_of
from tests.running import drill_settings, running

from incident_service.cli.running import side_by_side
from incident_service.core.clock import monotonic_s
from incident_service.core.stopping import stops_within
from incident_service.notifications.models import Page

pytestmark = pytest.mark.faults

ENDS_WITHIN_S = 25.0  # compose gives a container 30 s
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.fixture
def drill(database_url, valkey):
    return drill_settings(database_url, valkey.url, 60)


async def refuses(port: int) -> None:
    """Wait until nobody takes connections at a port any more."""
    async with asyncio.timeout(ENDS_WITHIN_S):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                return
            writer.close()
            await stops_within(asyncio.Event(), 0.02)


async def terminated(process: Command) -> tuple[int, float]:
    """Return the exit code, and how many seconds the process took to end."""
    began_s = monotonic_s()
    process.terminate()
    code = await process.exit_code(within_s=2 * ENDS_WITHIN_S)
    return code, monotonic_s() - began_s


async def test_a_request_that_has_begun_is_answered(stage, drill, tmp_path):
    environment = environment_of(drill) | {"INCIDENT_SERVICE_PORT": "0"}
    head, body = webhook_to(stage.key, firing("Disk"))

    async with command("api", environment=environment, home=tmp_path) as api:
        port = json.loads(await api.says('"api.starts"'))["port"]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head)
        assert await reader.readexactly(len(CONTINUE)) == CONTINUE  # it is at work on the request
        api.terminate()
        await refuses(port)
        writer.write(body)
        answer = await reader.read()
        code = await api.exit_code(within_s=ENDS_WITHIN_S)
        writer.close()

    assert answer.startswith(b"HTTP/1.1 202")
    assert code == 0, api.text
    assert [incident.title for incident in await stage.incidents()] == ["Disk"]


# It takes as long as a request may take
async def test_a_request_that_never_ends_does_not_keep_the_process(stage, drill, tmp_path):
    environment = environment_of(drill) | {"INCIDENT_SERVICE_PORT": "0"}
    head, _ = webhook_to(stage.key, firing("Disk"))

    async with command("api", environment=environment, home=tmp_path) as api:
        port = json.loads(await api.says('"api.starts"'))["port"]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head)
        await reader.readexactly(len(CONTINUE))
        code, took_s = await terminated(api)
        writer.close()

    assert code == 0, api.text
    assert took_s < ENDS_WITHIN_S


class SlowReceiver:
    """Takes pages, and answers when it is told to."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.received = 0
        self.url = ""

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.received += 1
        self.begun.set()
        await self.may_answer.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()


@asynccontextmanager
async def slow_receiver() -> AsyncIterator[SlowReceiver]:
    receiver = SlowReceiver()
    server = await asyncio.start_server(receiver.accept, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    try:
        yield receiver
    finally:
        receiver.may_answer.set()
        server.close()


async def test_a_page_that_is_being_sent_is_recorded(transactions, drill, tmp_path):
    async with slow_receiver() as receiver, running(drill, workers=0) as service:
        customer = await set_up(service.api, [receiver.url])
        environment = environment_of(drill)
        async with command("worker", environment=environment, home=tmp_path) as worker:
            await customer.webhook(firing("Disk"))
            async with asyncio.timeout(30):
                await receiver.begun.wait()
            worker.terminate()
            await worker.says("process.stopping")
            receiver.may_answer.set()
            code = await worker.exit_code(within_s=ENDS_WITHIN_S)
    async with transactions.open() as tx:
        pages = (await tx.session.scalars(select(Page))).all()

    assert code == 0, worker.text
    assert [(page.status, page.attempts) for page in pages] == [("sent", 1)]
    assert receiver.received == 1


async def test_an_idle_worker_ends_at_once(stage, drill, tmp_path):
    async with command("worker", environment=environment_of(drill), home=tmp_path) as worker:
        await worker.says("queue.reached")
        code, took_s = await terminated(worker)

    assert code == 0, worker.text
    assert took_s < ENDS_WITHIN_S / 2


async def test_a_part_that_does_not_end_is_cancelled():
    stopping = asyncio.Event()
    stopping.set()
    endings: list[str] = []

    async def heeds() -> None:
        await stopping.wait()
        endings.append("by itself")

    async def heeds_not() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            endings.append("cancelled")
            raise

    async with asyncio.timeout(20):
        await side_by_side(stopping, heeds(), heeds_not(), ends_within_s=0.05)

    assert endings == ["by itself", "cancelled"]
