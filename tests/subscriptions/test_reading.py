"""Every event becomes one delivery, however its transaction is mixed with others."""

import asyncio
from contextlib import AsyncExitStack

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from tests import factories
from tests.subscriptions.arrangements import record

from incident_service.core.db import Tx
from incident_service.incidents.timeline import EventKind

OPENED, ACKNOWLEDGED, RESOLVED = EventKind.OPENED, EventKind.ACKNOWLEDGED, EventKind.RESOLVED


async def take_transaction_id(tx: Tx) -> None:
    """Have the transaction numbered before it writes."""
    await tx.session.execute(text("SELECT pg_current_xact_id()"))


async def test_an_event_that_commits_after_a_later_one_is_neither_lost_nor_doubled(desk):
    await desk.subscribe()
    slow, fast = await desk.incident("slow"), await desk.incident("fast")
    async with desk.transactions.open() as first:
        await record(first, slow, OPENED)
        async with desk.transactions.open() as second:
            await record(second, fast, OPENED)
        await desk.read_final()
        before = await desk.deliveries()

    await desk.run()
    await desk.run()

    assert before == []
    assert sorted(heard.incident for heard in desk.receiver.heard) == ["fast", "slow"]


async def test_a_lower_position_of_a_younger_transaction_is_not_passed_over(desk):
    """Positions are given out in another order than transaction ids, and committed in a third."""
    await desk.subscribe()
    old, young = await desk.incident("old"), await desk.incident("young")
    async with AsyncExitStack() as stack:
        older = await stack.enter_async_context(desk.transactions.open())
        await take_transaction_id(older)
        async with desk.transactions.open() as younger:
            await record(younger, young, OPENED)  # the lower position
            await record(older, old, OPENED)
            await stack.aclose()  # the higher position is committed first
            await desk.read_final()
            between = [delivery.kind for delivery in await desk.deliveries()]

    await desk.run()

    assert len(between) <= 1
    assert sorted(heard.incident for heard in desk.receiver.heard) == ["old", "young"]


async def test_an_event_is_not_sent_before_an_earlier_one_of_its_incident_that_is_not_final(desk):
    """The incident's lock may go to the older transaction last, while a third one runs on."""
    subscription = await desk.subscribe()
    incident = await desk.incident()
    async with AsyncExitStack() as stack:
        older = await stack.enter_async_context(desk.transactions.open())
        await take_transaction_id(older)
        async with desk.transactions.open() as bystander:
            await take_transaction_id(bystander)
            await desk.happen(incident, OPENED)  # a younger transaction has the lock first
            await record(older, incident, ACKNOWLEDGED)
            await stack.aclose()
            await desk.read_final()  # up to `older`, not up to the younger one
            cursor = (await desk.again(subscription)).read_xact
            sequences = [delivery.sequence for delivery in await desk.deliveries()]

    await desk.run()

    assert sequences in ([], [1, 2])  # none, when a transaction of another test is older still
    assert cursor
    assert [heard.sequence for heard in desk.receiver.heard] == [1, 2]


async def test_what_is_rolled_back_is_never_told(desk):
    await desk.subscribe()
    incident = await desk.incident()
    async with desk.transactions.open() as tx:
        await record(tx, incident, OPENED)
        await tx.session.rollback()

    await desk.run()

    assert desk.receiver.heard == []


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(plan=st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=3), min_size=2, max_size=6))
async def test_concurrent_writers_and_readers_agree_on_every_event(desk, plan):
    """Each inner list is a transaction: the incidents it locks, in turn of their ids."""
    path = f"run-{len(desk.receiver.heard)}-{id(plan)}"
    subscription = await desk.subscribe(path)
    incidents = sorted([await desk.incident() for _ in range(3)], key=lambda each: each.id)

    async def write(order: list[int]) -> None:
        async with desk.transactions.open() as tx:
            await take_transaction_id(tx)
            for index in sorted(set(order)):
                await record(tx, incidents[index], OPENED)
                await desk.read_final()

    await asyncio.gather(*(write(order) for order in plan))
    await desk.run()
    await desk.run()

    for index, incident in enumerate(incidents):
        expected = sum(index in order for order in plan)
        heard = [
            each.sequence
            for each in desk.receiver.at(path)
            if each.body["data"]["incident"]["id"] == str(incident.id)
        ]
        assert heard == list(range(1, expected + 1))
    await desk.change(subscription, is_enabled=False)


async def test_two_workers_read_each_event_once(desk):
    await desk.subscribe()
    incident = await desk.incident()
    await desk.happen(incident, *[OPENED] * 5)

    await asyncio.gather(desk.read(), desk.read(), desk.read())

    assert len(await desk.deliveries()) == 5


async def test_a_long_backlog_is_read_in_steps(desk):
    await desk.subscribe()
    async with desk.transactions.open() as tx:
        incident = await desk.incident()
        for _ in range(450):
            await record(tx, incident, OPENED)

    await desk.read()
    first = len(await desk.deliveries())
    await desk.read()
    await desk.read()

    assert first < 450
    assert [delivery.sequence for delivery in await desk.deliveries()] == list(range(1, 451))


async def test_only_the_teams_own_events_of_the_wanted_kinds_are_told(desk):
    await desk.subscribe("ours", kinds=["resolved"])
    await desk.subscribe("all", team_id=None)
    async with desk.transactions.open() as tx:
        others = await factories.make_service(tx, await factories.make_team(tx))
        foreign = await factories.make_incident(tx, others)
    await desk.happen(await desk.incident(), OPENED, RESOLVED)
    await desk.happen(foreign, RESOLVED)

    await desk.run()

    assert [heard.kind for heard in desk.receiver.at("ours")] == ["resolved"]
    assert len(desk.receiver.at("all")) == 3


async def test_what_happened_before_the_subscription_is_not_told(desk):
    await desk.happen(await desk.incident("before"), OPENED)
    async with desk.transactions.open() as tx:
        await take_transaction_id(tx)
    await desk.read()  # until no older transaction runs
    await desk.subscribe()
    await desk.happen(await desk.incident("after"), OPENED)

    await desk.run()

    assert [heard.incident for heard in desk.receiver.heard] == ["after"]
