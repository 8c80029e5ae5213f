"""A worker shows how it fares, and never lets that keep it from its work."""

import asyncio
import json
import socket
from collections.abc import Iterator

import httpx
import pytest
from tests.api_steps import firing, set_up
from tests.processes import command, environment_of
from tests.receiver import webhook_receiver
from tests.running import drill_settings, running

from incident_service.cli.showing import show_health
from incident_service.core.runtime import open_runtime


@pytest.fixture
def taken() -> Iterator[socket.socket]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening


async def test_a_worker_can_be_scraped_and_asks_for_the_same_token(
    transactions, database_url, valkey, tmp_path
):
    environment = environment_of(drill_settings(database_url, valkey.url, 60))
    environment["INCIDENT_SERVICE_METRICS_TOKEN"] = "scrape-me"

    async with command("worker", environment=environment, home=tmp_path) as worker:
        port = json.loads(await worker.says('"worker.shown"'))["port"]
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", trust_env=False
        ) as client:
            alive = await client.get("/livez")
            refused = await client.get("/metrics")
            shown = await client.get("/metrics", headers={"Authorization": "Bearer scrape-me"})
            nothing_else = await client.get("/v1/incidents")
        worker.terminate()
        code = await worker.exit_code()

    assert [alive.status_code, refused.status_code, shown.status_code] == [200, 401, 200]
    assert nothing_else.status_code == 404
    assert "incident_nobody_to_page_total 0.0" in shown.text
    assert 'incident_sweep_failures_total{sweep="timers"} 0.0' in shown.text
    assert "incident_database_up 1.0" in shown.text
    assert code == 0


async def test_a_worker_pages_though_its_port_is_taken(
    transactions, database_url, valkey, tmp_path, taken
):
    settings = drill_settings(database_url, valkey.url, 60)
    environment = environment_of(settings)
    environment["INCIDENT_SERVICE_WORKER_PORT"] = str(taken.getsockname()[1])

    async with (
        webhook_receiver() as receiver,
        running(settings, workers=0) as service,
        command("worker", environment=environment, home=tmp_path) as worker,
    ):
        why = json.loads(await worker.says('"worker.not_shown"'))["error"]
        customer = await set_up(service.api, [receiver.url("one")])
        await customer.webhook(firing("Disk"))
        await receiver.expect(1, to="one", within_s=30)

    assert why.endswith("Choose another one with INCIDENT_SERVICE_WORKER_PORT.")


async def test_a_port_that_becomes_free_is_taken(transactions, database_url, valkey, taken):
    port = taken.getsockname()[1]
    settings = drill_settings(database_url, valkey.url, 60)
    settings = settings.model_copy(update={"worker_port": port})
    stopping = asyncio.Event()

    async with (
        open_runtime(settings) as runtime,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        showing = asyncio.create_task(show_health(runtime, stopping, again_s=0.05))
        taken.close()
        answers: list[int] = []
        async with asyncio.timeout(20):
            while not answers:
                try:
                    answers.append((await client.get("/livez")).status_code)
                except httpx.TransportError:
                    assert not showing.done()
        stopping.set()
        await asyncio.wait_for(showing, 20)

    assert answers == [200]
