"""What becomes of the alerts that a real Alertmanager sends."""

import pytest
from arq.connections import ArqRedis
from tests.alertmanager.alertmanager import Alert
from tests.alertmanager.configuration import bearer, configuration
from tests.alertmanager.steps import (
    has_status,
    labelled,
    notifications,
    pending_timers,
    the_incident,
    was_received,
)
from tests.waiting import eventually

pytestmark = pytest.mark.e2e


async def test_an_alert_that_fires_is_one_incident_and_one_page(sender, customer, receiver):
    await sender.fire(Alert("Disk"))
    (page,) = await receiver.expect(1, to="one")

    incident = await the_incident(customer)
    assert incident["status"] == "OPEN"
    assert incident["labels"]["alertname"] == "Disk"
    assert [paged["id"] for paged in page.page["incidents"]] == [incident["id"]]


async def test_a_group_that_is_sent_again_changes_nothing(
    start_alertmanager, url, customer, receiver
):
    text = configuration(url, bearer(customer.ingest_key), repeat_interval="200ms")
    sender = await start_alertmanager(text)

    await sender.fire(Alert("Disk"))
    await eventually(lambda: was_received(customer, times=3), "the third webhook")

    assert (await the_incident(customer))["alert_count"] == 1
    assert len(await notifications(customer)) == 1
    assert len(await receiver.expect(1, to="one")) == 1


async def test_a_second_alert_of_the_group_is_an_incident_of_its_own(sender, customer, receiver):
    await sender.fire(Alert("Disk", "db-1"))
    await receiver.expect(1, to="one")

    await sender.fire(Alert("Disk", "db-2"))
    pages = await receiver.expect(2, to="one")

    incidents = await customer.incidents()
    paged = [incident for page in pages for incident in page.page["incidents"]]
    assert labelled(incidents, "instance") == ["db-1", "db-2"]
    assert labelled(paged, "instance") == ["db-1", "db-2"]


async def test_a_second_alert_joins_where_a_group_is_an_incident(sender, customer, receiver):
    path = f"/v1/services/{customer.service_id}"
    (await customer.api.patch(path, json={"grouping": "group"})).raise_for_status()
    await sender.fire(Alert("Disk", "db-1"))
    await receiver.expect(1, to="one")

    await sender.fire(Alert("Disk", "db-2"))
    await eventually(lambda: was_received(customer, times=1, alerts_in_all=2), "the second alert")

    assert (await the_incident(customer))["firing_count"] == 2
    assert len(await notifications(customer)) == 1


async def test_an_alert_that_ends_resolves_its_incident_and_cancels_the_next_step(
    sender, customer, receiver, redis
):
    alert = Alert("Disk")
    await sender.fire(alert)
    await receiver.expect(1, to="one")
    (next_step,) = await pending_timers(customer)
    await eventually(lambda: is_queued(redis, next_step["arq_job_id"]), "the next step's job")

    await sender.resolve(alert)
    await eventually(lambda: has_status(customer, "RESOLVED"), "the end of the incident")
    await eventually(lambda: is_forgotten(redis, next_step["arq_job_id"]), "the job to go")

    jobs = await customer.of(next_step["incident_id"], "escalation-jobs")
    assert jobs[-1]["id"] == next_step["id"]
    assert jobs[-1]["cancelled_at"] is not None
    assert await pending_timers(customer) == []


async def is_queued(redis: ArqRedis, job_id: str) -> bool:
    return job_id.encode() in await redis.zrange("arq:queue", 0, -1)


async def is_forgotten(redis: ArqRedis, job_id: str) -> bool:
    return not await is_queued(redis, job_id) and not await redis.keys(f"*{job_id}*")
