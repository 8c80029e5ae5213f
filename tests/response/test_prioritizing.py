"""Another priority by hand, and what that does to the pages."""

from datetime import timedelta

import httpx
from tests import factories
from tests.stage import MINUTE, Stage

from incident_service.notifications.models import NotificationRule


async def prioritize(api: httpx.AsyncClient, stage: Stage, priority: str) -> httpx.Response:
    incident = await stage.incident()
    return await api.post(
        f"/v1/incidents/{incident.id}/priority", json={"priority": priority, "reason": "why"}
    )


async def test_a_raise_wakes_a_quiet_incident(api, stage):
    await stage.fire("Disk", severity="info")

    answer = await prioritize(api, stage, "high")

    incident = await stage.incident()
    assert answer.json()["changed"] is True
    assert await stage.told(incident) == ["First"]
    assert await stage.kinds(incident) == ["opened", "priority_raised", "paged"]
    assert await stage.violations() == []


async def test_a_raise_that_stays_below_what_the_service_pages_for_wakes_nobody(
    api, transactions, clock
):
    stage = await Stage(transactions, clock).set_up(service={"page_from": "high"})
    await stage.fire("Disk", severity="info")

    await prioritize(api, stage, "low")

    incident = await stage.incident()
    assert (incident.priority, incident.is_quiet) == ("low", True)
    assert await stage.told(incident) == []


async def test_a_raise_ends_a_snooze(api, stage):
    await stage.fire("Disk", severity="warning")
    await stage.do("snooze", await stage.incident(), until=stage.clock() + 60 * MINUTE)

    await prioritize(api, stage, "critical")

    incident = await stage.incident()
    assert incident.snoozed_until is None
    assert await stage.told(incident) == ["First", "First"]
    assert await stage.violations() == []


async def test_a_raise_begins_again_where_the_policy_has_run_out(api, stage):
    await stage.fire("Disk", severity="warning")
    await stage.wait(10)

    await prioritize(api, stage, "critical")

    incident = await stage.incident()
    assert await stage.told(incident) == ["First", "Second", "Manager", "First"]
    assert incident.exhausted_at is None
    assert await stage.violations() == []


async def test_a_raise_brings_pages_forward_that_a_persons_rules_put_off(api, stage):
    async with stage.transactions.open() as tx:
        method = await factories.make_contact_method(tx, stage.first)
        for priority, delay in (("medium", 30), ("critical", 0)):
            tx.session.add(
                NotificationRule(
                    user_id=stage.first.id,
                    priority=priority,
                    contact_method_id=method.id,
                    delay_minutes=delay,
                )
            )
    await stage.fire("Disk", severity="warning")
    (before,) = await stage.notifications(await stage.incident())

    await prioritize(api, stage, "critical")

    (after,) = await stage.notifications(await stage.incident())
    assert before.due_at - stage.clock() == timedelta(minutes=30)
    assert after.due_at == stage.clock()


async def test_a_fall_below_what_the_service_pages_for_ends_the_climb(api, stage):
    await stage.fire("Disk")

    await prioritize(api, stage, "info")
    await stage.wait(60)

    incident = await stage.incident()
    (row,) = await stage.notifications(incident)
    assert incident.is_quiet
    assert row.status == "cancelled"
    told = (await stage.events(incident))[-1]
    assert told.kind == "priority_lowered"
    assert told.data["falls_silent"] is True
    assert await stage.violations() == []


async def test_a_smaller_fall_leaves_the_climb_alone(api, stage):
    await stage.fire("Disk")

    await prioritize(api, stage, "low")
    await stage.wait(5)

    assert await stage.told(await stage.incident()) == ["First", "Second"]


async def test_whoever_has_it_keeps_it(api, stage):
    await stage.fire("Disk", severity="warning")
    await stage.do("acknowledge", await stage.incident(), by=stage.first)

    await prioritize(api, stage, "critical")

    incident = await stage.incident()
    assert (incident.status, incident.assigned_user_id) == ("ACKNOWLEDGED", stage.first.id)
    assert incident.acknowledged_priority == "critical"


async def test_the_acknowledge_timeout_is_there_as_long_as_it_is_not_quiet(
    api, transactions, clock
):
    stage = await Stage(transactions, clock).set_up(policy={"ack_timeout_minutes": 30})
    await stage.fire("Disk")
    await stage.do("acknowledge", await stage.incident(), by=stage.first)
    await prioritize(api, stage, "info")
    quiet = await stage.is_waiting(await stage.incident())

    await prioritize(api, stage, "high")

    assert not quiet
    assert (await stage.pending(await stage.incident())).kind == "ack_timeout"


async def test_a_raise_sets_the_acknowledge_timeout_of_what_was_quiet_from_the_start(
    api, transactions, clock
):
    stage = await Stage(transactions, clock).set_up(policy={"ack_timeout_minutes": 30})
    await stage.fire("Disk", severity="info")
    await stage.do("acknowledge", await stage.incident(), by=stage.first)

    await prioritize(api, stage, "high")
    waits_for = (await stage.pending(await stage.incident())).kind
    await stage.wait(31)

    incident = await stage.incident()
    assert waits_for == "ack_timeout"
    assert incident.status == "OPEN"
    assert await stage.told(incident) == ["First"]
    assert await stage.violations() == []


async def test_the_same_priority_changes_nothing(api, stage):
    await stage.fire("Disk")

    answer = await prioritize(api, stage, "critical")

    assert answer.json()["changed"] is False
    assert await stage.kinds(await stage.incident()) == ["opened", "paged"]


async def test_what_is_over_keeps_its_priority(api, stage):
    await stage.fire("Disk")
    await stage.clear("Disk")

    answer = await prioritize(api, stage, "low")

    assert (answer.status_code, answer.json()["code"]) == (409, "not_allowed_now")
    assert "cannot be given another priority" in answer.json()["detail"]


async def test_an_urgent_alert_ends_a_snooze_whose_timer_is_late(api, stage):
    await stage.fire("Disk")
    await stage.do("snooze", await stage.incident(), until=stage.clock() + MINUTE)
    stage.clock.advance(seconds=61)
    await prioritize(api, stage, "info")

    await stage.refire("Disk")

    incident = await stage.incident()
    assert (incident.is_quiet, incident.snoozed_until) == (False, None)
    assert (await stage.pending(incident)).kind == "step"
    assert await stage.told(incident) == ["First", "First"]
