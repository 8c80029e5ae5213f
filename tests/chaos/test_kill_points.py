"""`kill -9` at every point where it could hurt; then others go on, and the promises are checked.

The survivors live in this process, under a clock that can be moved: nobody waits for a lease.
Senders and responders try again until they have an answer, as Alertmanager does.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine
from tests import factories
from tests.api_steps import firing
from tests.chaos import promises
from tests.chaos.dying import Victims, victims
from tests.chaos.promises import Heard
from tests.chaos.victim import Fate
from tests.chaos.world import Ground, World
from tests.receiver import WebhookReceiver, webhook_receiver
from tests.running import drill_settings
from tests.stage import SECOND

from incident_service.core.clock import utc_now
from incident_service.core.outbound import Outbound
from incident_service.core.queue import make_redis
from incident_service.notifications.channels.webhook import WebhookChannel
from incident_service.settings import Settings

SIGKILL = 9
COMMITTING = ["before_commit", "after_commit"]
HANDING_OVER = [*COMMITTING, "before_enqueue", "after_enqueue"]
ANSWERING = [*HANDING_OVER, "before_answer"]
VERBS = [("acknowledge", "ACKNOWLEDGED"), ("resolve", "RESOLVED")]
# Long enough ago that every job of a test is due for Redis, whose clock cannot be moved.
AGO = timedelta(hours=1)


@pytest.fixture(scope="module")
def drill(database_url, valkey) -> Settings:
    return drill_settings(database_url, valkey.url, 60)


@pytest.fixture(scope="module")
async def graveyard(drill: Settings) -> AsyncIterator[Victims]:
    async with victims(drill) as them:
        yield them


@dataclass
class Scene:
    """The survivors and their API, the people's receiver, and where victims come from."""

    world: World
    receiver: WebhookReceiver
    graveyard: Victims
    survivor: httpx.AsyncClient
    api_key: str

    async def worker_dies(self, work: str, point: str, *, has_redis: bool = True) -> None:
        """Let a worker live until its death, half a second after the work came due.

        The reconciler gives jobs a second; without Redis it is the reconciler that does the work.
        """
        self.world.clock.now += SECOND * (0.5 if has_redis else 1.5)
        now = self.world.clock().isoformat()
        fate = Fate("worker", work, point, now, has_redis)
        async with self.graveyard.begin(fate) as victim:
            assert await victim.death() == (point, SIGKILL)

    async def ask(self, work: str, point: str, path: str, key: str, **body: Any) -> httpx.Response:
        """Post to an API that dies meanwhile, and then to one that survived."""
        headers = {"Authorization": f"Bearer {key}"}
        fate = Fate("api", work, point, self.world.clock().isoformat())
        async with self.graveyard.begin(fate) as victim, httpx.AsyncClient(trust_env=False) as api:
            with pytest.raises(httpx.TransportError):
                await api.post(f"{await victim.base_url()}{path}", json=body, headers=headers)
            assert await victim.death() == (point, SIGKILL)
        self.world.clock.advance(seconds=1)
        return await self.survivor.post(path, json=body, headers=headers)

    async def page_first(self) -> None:
        """Have an incident whose first level was paged and told."""
        await self.world.stage.fire("Disk")
        for job in await self.world.due_jobs():
            await self.world.run_job(job)

    async def violations(self) -> list[str]:
        """Let the survivors end what was begun, late and doubled jobs too; see what is wrong."""
        world = self.world
        undone = await world.come_to_rest()
        for key in await world.all_jobs() * 2:
            await world.run_job(key, keep=True)
        heard = [
            Heard(item.key, tuple(incident["id"] for incident in item.page["incidents"]))
            for item in self.receiver.received
        ]
        broken = await world.look(promises.broken)
        return undone + broken + await world.look(promises.misheard, heard)

    def keys(self, name: str) -> set[str]:
        return {item.key for item in self.receiver.to(name)}


@pytest.fixture
async def scene(
    drill: Settings,
    graveyard: Victims,
    engine: AsyncEngine,
    app: FastAPI,
) -> AsyncIterator[Scene]:
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(webhook_receiver())
        outbound = Outbound(drill.outbound_allow)
        stack.push_async_callback(outbound.aclose)
        redis = make_redis(drill.redis_url)
        stack.push_async_callback(redis.aclose, close_connection_pool=True)
        world = await Ground(engine, redis).make_world(
            WebhookChannel(outbound), now=utc_now() - AGO, address=receiver.url
        )
        app.state.transactions = world.transactions
        async with world.transactions.open() as tx:
            key = await factories.make_api_key(tx, scopes=["admin"])
        survivor = await stack.enter_async_context(
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://survivor")
        )
        yield Scene(world, receiver, graveyard, survivor, key)
        await redis.flushdb()


@pytest.mark.parametrize("point", ANSWERING)
async def test_an_alert_is_one_incident_wherever_its_api_dies(scene, point):
    began_at = scene.world.clock().replace(microsecond=0)
    alert = firing("Disk", began_at.isoformat())
    path = "/v1/ingest/alertmanager"

    answer = await scene.ask("ingest", point, path, scene.world.stage.key, alerts=[alert])

    assert answer.status_code == 202
    assert await scene.violations() == []
    assert await scene.world.look(promises.not_stored, [("Disk", began_at)]) == []
    assert await scene.world.stage.told(await scene.world.stage.incident()) == ["First"]
    assert len(scene.receiver.to("First")) == 1


@pytest.mark.parametrize(
    ("verb", "status"), [("acknowledge", "ACKNOWLEDGED"), ("resolve", "RESOLVED")]
)
@pytest.mark.parametrize("point", ANSWERING)
async def test_an_answer_holds_wherever_its_api_dies(scene, verb, status, point):
    await scene.page_first()
    incident = await scene.world.stage.incident()
    scene.world.clock.advance(minutes=4)

    answer = await scene.ask(verb, point, f"/v1/incidents/{incident.id}/{verb}", scene.api_key)
    answered_at = scene.world.clock()
    scene.world.clock.advance(minutes=5)  # the next level would have been due

    assert (answer.status_code, answer.json()["incident"]["status"]) == (200, status)
    assert await scene.violations() == []
    assert await scene.world.look(promises.paged_after, {incident.id: answered_at}) == []
    assert await scene.world.stage.told(incident) == ["First"]


@pytest.mark.parametrize(
    ("point", "has_redis"),
    [(point, True) for point in HANDING_OVER] + [(point, False) for point in COMMITTING],
)
async def test_a_step_takes_effect_once_wherever_its_worker_dies(scene, point, has_redis):
    await scene.page_first()
    scene.world.clock.advance(minutes=5)

    await scene.worker_dies("step", point, has_redis=has_redis)

    assert await scene.violations() == []
    assert await scene.world.stage.told(await scene.world.stage.incident()) == ["First", "Second"]
    assert len(scene.receiver.to("Second")) == 1


@pytest.mark.parametrize(
    ("work", "point", "times"),
    [
        ("claim", "before_commit", 1),
        ("claim", "after_commit", 1),
        ("claim", "before_send", 1),
        ("claim", "after_send", 2),
        ("record", "before_commit", 2),
        ("record", "after_commit", 1),
    ],
)
async def test_a_page_arrives_under_one_key_wherever_its_worker_dies(scene, work, point, times):
    await scene.world.stage.fire("Disk")

    await scene.worker_dies(work, point)

    assert await scene.violations() == []
    assert len(scene.keys("First")) == 1
    assert len(scene.receiver.to("First")) == times


@pytest.mark.parametrize(
    "point", ["before_commit", "after_commit", "before_enqueue", "after_enqueue"]
)
async def test_a_page_is_tried_again_wherever_the_worker_dies_that_failed(scene, point):
    await scene.world.stage.fire("Disk")
    scene.receiver.answers.append(503)

    await scene.worker_dies("record", point)

    assert await scene.violations() == []
    assert len(scene.keys("First")) == 1
    assert len(scene.receiver.to("First")) == 2
