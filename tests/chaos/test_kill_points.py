"""`kill -9` at every point where it could hurt; then others go on, and the promises are checked."""

import pytest
from tests.api_steps import firing
from tests.chaos import promises

pytestmark = pytest.mark.faults

COMMITTING = ["before_commit", "after_commit"]
HANDING_OVER = [*COMMITTING, "before_enqueue", "after_enqueue"]
ANSWERING = [*HANDING_OVER, "before_answer"]
VERBS = [("acknowledge", "ACKNOWLEDGED"), ("resolve", "RESOLVED")]


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


@pytest.mark.parametrize("point", ANSWERING)
async def test_what_is_created_under_a_key_is_created_once_wherever_its_api_dies(scene, point):
    answer = await scene.ask(
        "answer under a key",
        point,
        "/v1/incidents",
        scene.api_key,
        headers={"Idempotency-Key": "one-incident"},
        service_id=str(scene.world.stage.service.id),
        title="Checkout is slow",
        priority="high",
    )

    was_committed = point != "before_commit"
    incident = await scene.world.stage.incident()
    assert (answer.status_code, answer.json()["incident"]["id"]) == (201, str(incident.id))
    assert ("idempotency-replayed" in answer.headers) == was_committed
    assert await scene.violations() == []
    assert await scene.world.stage.told(incident) == ["First"]
