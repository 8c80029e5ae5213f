"""The dead-man's switch hears of us only while pages get through."""

import pytest
from sqlalchemy import select
from tests.heartbeat.network import Network
from tests.notifications.arrangements import ScriptedChannel, make_courier
from tests.samples import sample
from tests.stage import Stage

from incident_service.core.ids import new_id
from incident_service.heartbeat.models import Canary
from incident_service.heartbeat.switch import Switch

URL = "https://switch.example.org/ping/a-secret"


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def switch(stage, network) -> Switch:
    return Switch(stage.transactions, network.outbound(), URL)


async def come_through(stage: Stage) -> None:
    """Record a canary, now."""
    now = stage.clock()
    async with stage.transactions.open() as tx:
        tx.session.add(Canary(id=new_id(), due_at=now, created_at=now, recorded_at=now))


async def test_it_is_called_once_for_each_canary_that_came_through(stage, network, switch):
    for _ in range(3):
        await come_through(stage)
        await switch.sweep()
        stage.clock.advance(seconds=20)
        await switch.sweep()
        stage.clock.advance(seconds=40)

    assert [(call.method, call.headers["host"]) for call in network.calls] == [
        ("POST", "switch.example.org")
    ] * 3
    assert network.calls[0].url.path == "/ping/a-secret"


async def test_several_workers_call_once_for_all(stage, network, switch):
    another = Switch(stage.transactions, network.outbound(), URL)
    await come_through(stage)

    await switch.sweep()
    await another.sweep()

    assert len(network.calls) == 1


async def test_it_is_not_called_before_a_canary_came_through(stage, network, switch):
    await switch.sweep()

    assert network.calls == []


async def test_it_is_not_called_when_the_canary_is_stale(stage, network, switch):
    await come_through(stage)
    stage.clock.advance(minutes=3, seconds=1)

    await switch.sweep()

    assert network.calls == []


async def test_it_is_not_called_while_a_timer_is_overdue_and_again_afterwards(
    stage, network, switch
):
    await stage.fire("Disk")
    await deliver(stage)
    stage.clock.advance(minutes=4, seconds=58)

    called = []
    for seconds in (30, 3):  # the timer is 30 s late at most, then more
        stage.clock.advance(seconds=seconds)
        await come_through(stage)
        await switch.sweep()
        called.append(len(network.calls))
    await stage.reconcile()
    await switch.sweep()
    called.append(len(network.calls))

    assert called == [1, 1, 2]


async def test_it_is_not_called_while_a_page_is_overdue_and_again_afterwards(
    stage, network, switch
):
    await stage.fire("Disk")

    called = []
    for seconds in (29, 3):
        stage.clock.advance(seconds=seconds)
        await come_through(stage)
        await switch.sweep()
        called.append(len(network.calls))
    await deliver(stage)
    await switch.sweep()
    called.append(len(network.calls))

    assert called == [1, 1, 2]


@pytest.mark.parametrize("status", [None, 404, 503])
async def test_a_call_that_fails_is_counted_and_the_next_canary_calls_again(
    stage, network, switch, status
):
    before = failed_calls()
    network.status = status
    await come_through(stage)

    await switch.sweep()
    stage.clock.advance(minutes=1)
    network.status = 200
    await come_through(stage)
    await switch.sweep()

    assert failed_calls() == before + 1
    assert len(network.calls) == 2


async def test_a_used_canary_stays_used_when_the_call_fails(stage, network, switch):
    network.status = None
    await come_through(stage)

    await switch.sweep()
    await switch.sweep()

    async with stage.transactions.open() as tx:
        called_at = await tx.session.scalar(select(Canary.called_at))
    assert called_at == stage.clock()
    assert len(network.calls) == 1


async def deliver(stage: Stage) -> None:
    """Send what is due, to a channel that takes everything."""
    stage.clock.advance(seconds=2)
    courier = make_courier(stage.transactions, ScriptedChannel())
    await courier.sweep()
    await courier.aclose()


def failed_calls() -> float:
    return sample("incident_heartbeat_calls_total", result="failed") or 0.0
