"""`kill -9` while a receiver has an event in its hands: it gets the same one again, in order."""

import pytest
from tests.chaos.dying import victims
from tests.chaos.scene import AGO, SIGKILL
from tests.chaos.victim import Fate
from tests.fakes import FrozenClock
from tests.running import drill_settings

from incident_service.core.clock import utc_now
from incident_service.incidents.timeline import EventKind
from incident_service.subscriptions.claim import LEASE

pytestmark = pytest.mark.faults


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(utc_now() - AGO)


async def test_a_receiver_gets_the_event_again_under_its_id_and_before_the_next(
    desk, database_url, valkey
):
    await desk.subscribe()
    await desk.happen(await desk.incident(), EventKind.OPENED, EventKind.RESOLVED)
    await desk.read()
    fate = Fate("dispatcher", "claim", "nowhere", desk.clock().isoformat())
    settings = drill_settings(database_url, valkey.url, 60)
    async with victims(settings) as graveyard, graveyard.begin(fate) as victim:
        desk.receiver.meanwhile = victim.kill
        death = await victim.death()
    desk.receiver.meanwhile = lambda: None

    await desk.send()
    before_the_lease_ended = len(desk.receiver.heard)
    desk.clock.now += LEASE * 2
    await desk.send()

    first, again, after = desk.receiver.heard
    assert death == (None, SIGKILL)
    assert before_the_lease_ended == 1
    assert [heard.kind for heard in desk.receiver.heard] == ["opened", "opened", "resolved"]
    assert (first.id, first.text) == (again.id, again.text)
    assert after.id != again.id
    assert [delivery.attempts for delivery in await desk.deliveries()] == [2, 1]
