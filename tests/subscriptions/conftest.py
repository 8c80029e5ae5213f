from collections.abc import AsyncIterator

import pytest
from tests import factories
from tests.fakes import FrozenClock
from tests.subscriptions.arrangements import LOOPBACK, Desk
from tests.subscriptions.receiver import EventReceiver, event_receiver

from incident_service.core.clock import utc_now
from incident_service.core.db import Transactions
from incident_service.core.outbound import Outbound
from incident_service.subscriptions.dispatch import Dispatcher


@pytest.fixture
def clock() -> FrozenClock:
    """The library that checks signatures asks the real clock."""
    return FrozenClock(utc_now())


@pytest.fixture
async def receiver() -> AsyncIterator[EventReceiver]:
    async with event_receiver() as receiver:
        yield receiver


@pytest.fixture
async def desk(
    transactions: Transactions, clock: FrozenClock, receiver: EventReceiver
) -> AsyncIterator[Desk]:
    outbound = Outbound(LOOPBACK)
    dispatcher = Dispatcher(transactions, outbound, jitter=lambda: 0.0)
    async with transactions.open() as tx:
        team = await factories.make_team(tx)
        service = await factories.make_service(tx, team)
    yield Desk(transactions, clock, receiver, dispatcher, outbound, team, service)
    receiver.released.set()
    await dispatcher.aclose()
    await outbound.aclose()
