"""A real worker calls a real dead-man's switch."""

import asyncio

from tests.processes import command, environment_of
from tests.receiver import until
from tests.running import drill_settings

from incident_service.core.clock import utc_now
from incident_service.core.ids import new_id
from incident_service.heartbeat.models import Canary


async def test_a_worker_calls_the_address_that_is_set(transactions, database_url, valkey, tmp_path):
    calls: list[bytes] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls.append((await reader.readuntil(b"\r\n\r\n")).splitlines()[0])
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    now = utc_now()
    async with transactions.open() as tx:
        tx.session.add(Canary(id=new_id(), due_at=now, created_at=now, recorded_at=now))
    async with await asyncio.start_server(take, "127.0.0.1", 0) as switch:
        port = switch.sockets[0].getsockname()[1]
        environment = environment_of(drill_settings(database_url, valkey.url, 60)) | {
            "INCIDENT_SERVICE_HEARTBEAT_URL": f"http://127.0.0.1:{port}/ping/secret"
        }
        async with command("worker", environment=environment, home=tmp_path) as worker:
            await until(lambda: bool(calls), 30, "a call")

    assert calls[0] == b"POST /ping/secret HTTP/1.1"
    assert "secret" not in worker.text
