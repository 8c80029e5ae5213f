"""What maintenance does to incidents: nobody is paged, and at its end what is open is, once."""

import pytest
from sqlalchemy import select
from tests import factories
from tests.maintenance.arrangements import URL, change, end, maintain
from tests.notifications.arrangements import ScriptedChannel, make_courier
from tests.stage import MINUTE, SECOND, Stage

from incident_service.alerts.ingest import Payload, ingest
from incident_service.catalog.priority import Priority
from incident_service.core.db import Transactions
from incident_service.incidents.lifecycle import Status
from incident_service.maintenance.models import MaintenanceWindow
from incident_service.notifications.models import CancelReason
from incident_service.response import prioritizing
from incident_service.response.actions import Order

UNSETTLED = select(MaintenanceWindow.id).where(MaintenanceWindow.settle_until.is_not(None))


async def test_what_opens_during_maintenance_pages_nobody_until_its_end(api, stage):
    made = await maintain(api, stage, 60)

    await stage.fire("Disk")
    during = await stage.incident()
    row = await stage.pending(during)
    await stage.wait(59)
    silent = await stage.told(during)
    await stage.wait(1)

    after = await stage.incident()
    assert (during.status, str(during.maintenance_window_id)) == (Status.OPEN, made["id"])
    assert (row.kind, row.scheduled_for - during.created_at) == ("maintenance_end", 60 * MINUTE)
    assert silent == []
    assert await stage.told(after) == ["First"]
    assert after.maintenance_window_id is None
    assert await stage.kinds(after) == [
        "opened",
        "maintenance_held",
        "maintenance_ended",
        "paged",
    ]
    assert await stage.violations() == []


async def test_the_incident_says_so(api, stage):
    made = await maintain(api, stage)
    await stage.fire("Disk")
    incident = await stage.incident()

    shown = (await api.get(f"/v1/incidents/{incident.id}")).json()
    told = (await api.get(f"/v1/incidents/{incident.id}/timeline?format=text")).text

    assert shown["maintenance_window_id"] == made["id"]
    assert "Held by maintenance until 2026-11-02 13:00:00Z: The database moves." in told


async def test_77_pages_that_wait_are_held_and_at_the_end_only_what_is_open_is_paged_once(
    api, stage
):
    for name in ("Disk", "Memory", "Power"):
        await stage.fire(name)
    made = await maintain(api, stage, 60)
    held = await stage.incidents()
    taken_back = [row for each in held for row in await stage.notifications(each)]
    await stage.wait(10)
    await stage.clear("Memory")
    await stage.do("acknowledge", held[2], by=stage.second)
    await stage.wait(49)
    silent = [await stage.told(each) for each in held]
    await stage.wait(4)

    assert {row.cancelled_because for row in taken_back} == {CancelReason.MAINTENANCE}
    assert {str(each.maintenance_window_id) for each in held} == {made["id"]}
    assert silent == [["First"]] * 3
    assert [each.status for each in await stage.incidents()] == ["OPEN", "RESOLVED", "ACKNOWLEDGED"]
    assert [await stage.told(each) for each in held] == [["First", "First"], ["First"], ["First"]]
    assert await stage.violations() == []


async def test_the_climb_goes_on_at_the_level_where_it_was(api, stage):
    await stage.fire("Disk")
    await stage.wait(5)

    await maintain(api, stage, 60)
    await stage.wait(60)

    assert await stage.told(await stage.incident()) == ["First", "Second", "Second"]


async def test_a_page_that_is_being_sent_goes_on(api, stage, transactions: Transactions):
    channel = ScriptedChannel()
    await stage.fire("Disk")
    stage.clock.advance(seconds=2)
    await make_courier(transactions, channel).sweep()

    await maintain(api, stage)

    (row,) = await stage.notifications(await stage.incident())
    assert (row.status, len(channel.pages)) == ("sent", 1)


async def test_a_window_that_begins_later_holds_what_climbs_then_without_redis(api, stage):
    await maintain(api, stage, 60, after=2)
    await stage.fire("Disk")
    before = await stage.incident()

    await stage.wait(2)

    during = await stage.incident()
    assert before.maintenance_window_id is None
    assert during.maintenance_window_id is not None
    assert await stage.told(during) == ["First"]
    assert await stage.violations() == []


async def test_what_a_window_missed_at_its_beginning_is_held_soon(
    api, stage, transactions: Transactions
):
    """A transaction that had not seen the window commits after it."""
    async with transactions.open() as tx:
        await ingest(tx, [Payload(stage.integration.id, stage.service.id, (stage.alert("Disk"),))])
        await maintain(api, stage)
    before = await stage.incident()

    stage.clock.advance(seconds=2)
    await stage.reconcile()

    after = await stage.incident()
    assert before.maintenance_window_id is None
    assert after.maintenance_window_id is not None
    assert await stage.violations() == []


async def test_after_that_no_worker_looks_for_it_any_more(api, stage):
    await maintain(api, stage)

    stage.clock.advance(seconds=15)
    await stage.reconcile()

    assert await stage.rows(UNSETTLED) == []


async def test_only_what_the_window_covers_is_held(api, stage, transactions: Transactions):
    async with transactions.open() as tx:
        other = await factories.make_service(tx, stage.team)
    elsewhere = await maintain(api, stage, service_id=str(other.id))
    await maintain(api, stage, matchers=['alertname=~"Disk|Memory"'])

    await stage.fire("Disk", "Power")

    by_name = {each.labels["alertname"]: each for each in await stage.incidents()}
    assert by_name["Power"].maintenance_window_id is None
    assert str(by_name["Disk"].maintenance_window_id) not in ("None", elsewhere["id"])


async def test_an_ended_window_lets_what_is_open_go_on_at_once(api, stage):
    made = await maintain(api, stage, 60)
    await stage.fire("Disk")
    await stage.wait(10)

    answer = await end(api, made)

    incident = await stage.incident()
    assert answer.json()["ended_at"] is not None
    assert await stage.told(incident) == ["First"]
    await stage.wait(60)
    assert (await stage.kinds(incident)).count("maintenance_ended") == 1
    assert await stage.violations() == []


async def test_a_longer_window_holds_longer(api, stage):
    made = await maintain(api, stage, 60)
    await stage.fire("Disk")

    await change(api, made, ends_at=(stage.clock() + 90 * MINUTE).isoformat())
    await stage.wait(89)
    incident = await stage.incident()
    silent = await stage.told(incident)
    await stage.wait(1)

    assert silent == []
    assert await stage.told(incident) == ["First"]


async def test_a_shorter_window_holds_shorter(api, stage):
    made = await maintain(api, stage, 60)
    await stage.fire("Disk")

    await change(api, made, ends_at=(stage.clock() + 5 * MINUTE).isoformat())
    await stage.wait(5)

    assert await stage.told(await stage.incident()) == ["First"]


async def test_what_a_changed_window_no_longer_covers_goes_on_and_what_it_covers_now_is_held(
    api, stage
):
    made = await maintain(api, stage, matchers=["alertname=Disk"])
    await stage.fire("Disk")
    await stage.fire("Power")

    await change(api, made, matchers=["alertname=Power"])

    disk, power = await stage.incidents()
    assert (disk.labels["alertname"], disk.maintenance_window_id) == ("Disk", None)
    assert str(power.maintenance_window_id) == made["id"]
    assert await stage.told(disk) == ["First"]


async def test_it_stays_held_until_the_last_window_ends(api, stage):
    first = await maintain(api, stage, 60)
    await stage.fire("Disk")
    await maintain(api, stage, 90)

    await end(api, first)
    await stage.wait(89)
    incident = await stage.incident()
    silent = await stage.told(incident)
    await stage.wait(1)

    assert silent == []
    assert await stage.told(incident) == ["First"]
    assert (await stage.kinds(incident)).count("maintenance_ended") == 1


@pytest.mark.parametrize(("snoozed", "maintained"), [(30, 60), (60, 30)])
async def test_of_snooze_and_maintenance_the_later_end_counts(api, stage, snoozed, maintained):
    await stage.fire("Disk")
    incident = await stage.incident()
    await stage.do("snooze", incident, until=stage.clock() + snoozed * MINUTE)
    await maintain(api, stage, maintained)

    await stage.wait(59)
    silent = await stage.told(incident)
    await stage.wait(1)

    assert silent == ["First"]
    assert await stage.told(incident) == ["First", "First"]


@pytest.mark.parametrize(("snoozed", "maintained"), [(30, 60), (60, 30)])
async def test_the_later_end_counts_for_what_is_snoozed_while_it_is_held(
    api, stage, snoozed, maintained
):
    await maintain(api, stage, maintained)
    await stage.fire("Disk")
    incident = await stage.incident()
    await stage.do("snooze", incident, until=stage.clock() + snoozed * MINUTE)

    await stage.wait(59)
    silent = await stage.told(incident)
    await stage.wait(1)

    assert silent == []
    assert await stage.told(incident) == ["First"]
    assert await stage.violations() == []


async def test_what_ends_during_maintenance_ends_quietly(api, stage):
    made = await maintain(api, stage)
    await stage.fire("Disk")

    await stage.clear("Disk")
    await end(api, made)
    await stage.wait(120)

    incident = await stage.incident()
    assert (incident.status, incident.maintenance_window_id) == (Status.RESOLVED, None)
    assert await stage.notifications(incident) == []


async def test_what_comes_back_during_maintenance_is_held_again(api, stage):
    await stage.fire("Disk")
    await stage.clear("Disk")
    await stage.wait(2)
    made = await maintain(api, stage)

    outcome = await stage.refire("Disk")
    during = await stage.incident()
    await end(api, made)

    assert outcome == ["reopened"]
    assert str(during.maintenance_window_id) == made["id"]
    assert await stage.told(during) == ["First", "First"]


async def test_an_acknowledge_that_times_out_during_maintenance_waits_for_its_end(
    api, transactions, clock
):
    stage = await Stage(transactions, clock).set_up(policy={"ack_timeout_minutes": 10})
    await maintain(api, stage, 60)
    await stage.fire("Disk")
    await stage.do("acknowledge", await stage.incident(), by=stage.first)

    await stage.wait(59)
    during = await stage.incident()
    silent = await stage.told(during)
    await stage.wait(1)

    assert (during.status, silent) == (Status.OPEN, [])
    assert during.maintenance_window_id is not None
    assert await stage.told(during) == ["First"]


async def test_acknowledged_incidents_stay_as_they_are(api, stage):
    await stage.fire("Disk")
    await stage.do("acknowledge", await stage.incident(), by=stage.first)

    made = await maintain(api, stage)
    await end(api, made)

    incident = await stage.incident()
    assert (incident.status, incident.maintenance_window_id) == (Status.ACKNOWLEDGED, None)
    assert await stage.told(incident) == ["First"]


async def test_a_higher_priority_does_not_end_maintenance(api, stage, transactions: Transactions):
    await maintain(api, stage)
    await stage.fire("Disk", severity="warning")
    order = Order((await stage.incident()).id, stage.principal)

    await transactions.run(lambda tx: prioritizing.change_priority(tx, order, Priority.CRITICAL))

    incident = await stage.incident()
    assert incident.maintenance_window_id is not None
    assert await stage.told(incident) == []


async def test_who_escalates_during_maintenance_pages_and_the_climb_goes_on(api, stage):
    await maintain(api, stage, 60)
    await stage.fire("Disk")

    await stage.do("escalate", await stage.incident(), seen_level=0, seen_repeat=1)
    at_once = await stage.told(await stage.incident())
    await stage.wait(5)

    incident = await stage.incident()
    assert at_once == ["First"]
    assert await stage.told(incident) == ["First", "Second"]
    assert incident.maintenance_window_id is None


async def test_a_window_about_something_else_does_not_hold_what_was_escalated(api, stage):
    await maintain(api, stage, 60)
    await stage.fire("Disk")
    stage.clock.advance(seconds=1)
    await stage.do("escalate", await stage.incident(), seen_level=0, seen_repeat=1)

    stage.clock.advance(seconds=1)
    await maintain(api, stage, matchers=["alertname=Power"])

    assert (await stage.incident()).maintenance_window_id is None


async def test_a_climb_that_began_again_by_itself_is_held_when_the_window_grows(api, stage):
    made = await maintain(api, stage, 60, matchers=["alertname=Power"])
    await stage.fire("Disk")
    url = f"/v1/escalation-policies/{stage.policy.id}?apply_to_open=true"
    (await api.patch(url, json={"repeat_count": 2})).raise_for_status()
    again = await stage.incident()

    await change(api, made, matchers=[])

    assert "restarted" in await stage.kinds(again)
    assert again.maintenance_window_id is None
    assert str((await stage.incident()).maintenance_window_id) == made["id"]


async def test_a_climb_that_somebody_began_again_goes_on_when_the_window_grows(api, stage):
    made = await maintain(api, stage, 60, matchers=["alertname=Power"])
    await stage.fire("Disk")
    await stage.do("restart", await stage.incident())

    await change(api, made, matchers=[])

    assert (await stage.incident()).maintenance_window_id is None


async def test_an_edit_of_the_policy_wakes_nobody(api, stage):
    await maintain(api, stage)
    await stage.fire("Disk")

    answer = await api.patch(
        f"/v1/escalation-policies/{stage.policy.id}?apply_to_open=true", json={"repeat_count": 2}
    )

    assert answer.status_code == 200
    assert await stage.told(await stage.incident()) == []


async def test_thirty_incidents_at_the_end_are_one_page(api, stage, transactions: Transactions):
    channel = ScriptedChannel()
    made = await maintain(api, stage)
    await stage.fire(*(f"Disk {number}" for number in range(30)))

    await end(api, made)
    stage.clock.advance(seconds=2)
    await make_courier(transactions, channel).sweep()

    (page,) = channel.pages
    assert len(page.incidents) == 30


async def test_a_window_that_ends_before_it_was_applied_holds_nothing(api, stage):
    await maintain(api, stage, 1, after=1)
    await stage.fire("Disk")

    stage.clock.now += 3 * MINUTE + 10 * SECOND
    await stage.reconcile()

    incident = await stage.incident()
    assert incident.maintenance_window_id is None
    assert (await stage.pending(incident)).kind == "step"
    assert (await api.get(URL)).json()["items"][0]["ended_at"] is None
