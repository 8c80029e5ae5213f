"""What Prometheus sees of the rows, and that asking never hangs."""

import asyncio
import math
import socket
from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy import update
from tests.maintenance.arrangements import end, maintain
from tests.notifications.arrangements import ScriptedChannel, make_courier
from tests.running import drill_settings
from tests.samples import sample
from tests.stage import MINUTE, SECOND, Stage

from incident_service.core.clock import utc_now
from incident_service.core.queue import Job
from incident_service.core.runtime import Runtime, open_runtime
from incident_service.heartbeat.fitness import Lateness
from incident_service.heartbeat.gauges import measure, show_rows
from incident_service.heartbeat.queries import load_lateness, load_standing
from incident_service.main import create_serving_app
from incident_service.teams.models import User

# What a scrape may take at the very most: Prometheus gives up after 10 s.
SCRAPE_S = 9.0


@pytest.fixture
async def runtime(database_url, valkey) -> AsyncIterator[Runtime]:
    async with open_runtime(drill_settings(database_url, valkey.url, 60)) as runtime:
        yield runtime


async def deliver(stage: Stage) -> None:
    """Send what is due, to a channel that takes everything."""
    courier = make_courier(stage.transactions, ScriptedChannel())
    await courier.sweep()
    await courier.aclose()


async def lateness(stage: Stage) -> Lateness:
    async with stage.transactions.open() as tx:
        return await load_lateness(tx.session, tx.now)


async def test_active_incidents_are_shown_by_status_and_priority(stage, runtime):
    await stage.fire("Disk", "Memory")
    disk, _ = await stage.incidents()
    await stage.do("acknowledge", disk)

    await measure(runtime)

    of_theirs = {"priority": disk.priority.value}
    assert sample("incident_active_incidents", status="open", **of_theirs) == 1
    assert sample("incident_active_incidents", status="acknowledged", **of_theirs) == 1
    assert sample("incident_active_incidents", status="open", priority="info") == 0
    assert sample("incident_active_incidents", status="resolved", **of_theirs) is None


async def test_an_exhausted_incident_is_shown_until_somebody_answers(stage, runtime):
    await stage.fire("Disk")
    shown = []

    for _ in range(2):
        await stage.wait(minutes=6)
    await measure(runtime)
    shown.append(sample("incident_exhausted_incidents"))
    await stage.do("acknowledge", await stage.incident())
    await measure(runtime)
    shown.append(sample("incident_exhausted_incidents"))

    assert shown == [1, 0]


async def test_maintenance_and_what_it_holds_are_shown_while_they_last(api, stage):
    made = await maintain(api, stage)
    await stage.fire("Disk")
    shown = []

    for _ in range(2):
        async with stage.transactions.open() as tx:
            show_rows(await load_standing(tx.session, tx.now))
        shown.append((sample("incident_maintenance_windows"), sample("incident_held_incidents")))
        await end(api, made)

    assert shown == [(1, 1), (0, 0)]


async def test_an_incident_with_nobody_to_page_is_shown(stage, runtime):
    async with stage.transactions.open() as tx:
        await tx.session.execute(update(User).values(is_active=False))
    await stage.fire("Disk")

    await measure(runtime)

    assert sample("incident_nobody_to_page_incidents") == 1


async def test_nothing_is_late_while_everything_is_in_time(stage):
    await stage.fire("Disk")
    stage.clock.advance(seconds=2)
    await deliver(stage)

    late = await lateness(stage)

    assert (late.timer, late.page) == (0 * SECOND, 0 * SECOND)


async def test_the_timer_that_waits_longest_is_shown(stage):
    await stage.fire("Disk")
    stage.clock.advance(minutes=1)
    await stage.fire("Memory")

    stage.clock.advance(minutes=7)

    assert (await lateness(stage)).timer == 3 * MINUTE


async def test_a_page_that_nobody_sends_is_late(stage):
    await stage.fire("Disk")

    stage.clock.advance(minutes=2)

    assert (await lateness(stage)).page == 2 * MINUTE


async def test_a_page_that_spacing_puts_off_is_not_late_until_that_has_passed(stage):
    await stage.fire("Disk")
    stage.clock.advance(seconds=2)
    await deliver(stage)
    await stage.fire("Memory")

    stage.clock.advance(seconds=26)
    held_back = (await lateness(stage)).page
    stage.clock.advance(seconds=10)  # 36 s after the page
    free = (await lateness(stage)).page

    assert (held_back, free) == (0 * SECOND, 6 * SECOND)


async def test_the_queue_and_the_pool_are_shown(transactions, runtime):
    before = await runtime.queue.depth()
    job = Job("nothing", ("",), "a job of this test", utc_now() + 60 * MINUTE)
    await runtime.queue.exchange(add=[job], remove=[])

    await measure(runtime)

    await runtime.queue.exchange(add=[], remove=[job.key])
    assert sample("incident_queue_up") == 1
    assert sample("incident_queue_depth") == before + 1
    assert sample("incident_database_up") == 1
    assert sample("incident_database_pool_size") == runtime.settings.database_pool_size
    assert sample("incident_database_pool_in_use") == 0


@pytest.fixture
def silent_port():
    """A server that takes connections and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(50)
        yield listening.getsockname()[1]


async def test_a_scrape_answers_while_postgresql_and_redis_do_not(silent_port):
    settings = drill_settings(
        f"postgresql+asyncpg://nobody@127.0.0.1:{silent_port}/nothing",
        f"redis://127.0.0.1:{silent_port}/0",
        60,
    )
    async with open_runtime(settings) as runtime:
        transport = httpx.ASGITransport(create_serving_app(runtime))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            async with asyncio.timeout(SCRAPE_S):
                answer = await client.get("/metrics")

    assert answer.status_code == 200
    assert "\nincident_database_up 0.0\n" in answer.text
    assert "\nincident_queue_up 0.0\n" in answer.text
    assert "\nincident_active_incidents{" not in answer.text
    assert math.isnan(sample("incident_escalation_overdue_seconds") or 0)
    assert math.isnan(sample("incident_pages_overdue_seconds") or 0)
