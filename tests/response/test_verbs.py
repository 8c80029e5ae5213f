"""What people do to an incident, and what that does to its climb."""

from typing import Any

import pytest
from tests.stage import MINUTE, Stage

from incident_service.core.errors import Invalid, NotFound
from incident_service.core.ids import new_id
from incident_service.escalation.actions import ClimbAtItsEnd
from incident_service.incidents.lifecycle import NotAllowedNow
from incident_service.response.actions import ClimbHasMoved, KeyIsActiveAgain
from incident_service.teams.auth import Principal
from incident_service.teams.models import Scope, User


async def test_acknowledging_stops_the_climb_and_assigns(stage):
    await stage.fire("Disk")
    row = await stage.pending(await stage.incident())

    done = await stage.do("acknowledge", await stage.incident(), by=stage.first)
    await stage.wait(60)

    incident = await stage.incident()
    assert done.changed
    assert (incident.status.value, incident.assigned_user_id) == ("ACKNOWLEDGED", stage.first.id)
    assert await stage.told(incident) == ["First"]
    assert stage.transactions.queue.removed == [row.arq_job_id]


async def test_acknowledging_cancels_what_was_not_yet_sent(stage):
    await stage.fire("Disk")

    await stage.do("acknowledge", await stage.incident(), by=stage.first)

    (notification,) = await stage.notifications(await stage.incident())
    assert notification.status.value == "cancelled"


async def test_3_acknowledging_twice_keeps_the_first(stage):
    await stage.fire("Disk")
    await stage.do("acknowledge", await stage.incident(), by=stage.first)
    at = stage.clock()
    stage.clock.advance(minutes=1)

    again = await stage.do("acknowledge", await stage.incident(), by=stage.second)

    assert not again.changed
    assert (again.incident.acknowledged_at, again.incident.assigned_user_id) == (
        at,
        stage.first.id,
    )


async def test_4_a_resolved_incident_cannot_be_acknowledged(stage):
    await stage.fire("Disk")
    await stage.clear("Disk")

    with pytest.raises(NotAllowedNow):
        await stage.do("acknowledge", await stage.incident(), by=stage.first)


async def test_unacknowledging_pages_the_current_level_again_at_once(stage):
    await stage.fire("Disk")
    await stage.wait(5)
    await stage.do("acknowledge", await stage.incident(), by=stage.first)

    await stage.do("unacknowledge", await stage.incident(), by=stage.first)

    incident = await stage.incident()
    assert (incident.status.value, incident.escalation_epoch) == ("OPEN", 2)
    assert await stage.told(incident) == ["First", "Second", "Second"]
    assert await stage.violations() == []


async def test_resolving_by_hand_names_who_did_it(stage):
    await stage.fire("Disk")

    await stage.do("resolve", await stage.incident(), by=stage.first)

    incident = await stage.incident()
    assert (incident.status.value, incident.resolved_by) == ("RESOLVED", "user:First")
    assert not await stage.is_waiting(incident)


async def test_a_closed_incident_stays_closed(stage):
    await stage.fire("Disk")
    await stage.clear("Disk")
    await stage.do("close", await stage.incident())

    with pytest.raises(NotAllowedNow):
        await stage.do("reopen", await stage.incident())


async def test_reopening_by_hand_brings_it_back(stage):
    await stage.fire("Disk")
    await stage.do("resolve", await stage.incident(), by=stage.first)

    await stage.do("reopen", await stage.incident(), by=stage.second)

    incident = await stage.incident()
    assert incident.status.value == "OPEN"
    assert (await stage.pending(incident)).scheduled_for == stage.clock() + 5 * MINUTE


async def test_reopening_onto_a_key_that_is_active_again_is_refused(stage):
    await stage.fire("Disk")
    await stage.clear("Disk")
    await stage.wait(20)
    await stage.refire("Disk")
    old, _ = await stage.incidents()

    with pytest.raises(KeyIsActiveAgain):
        await stage.do("reopen", old)


async def test_escalating_pages_the_next_level_now(stage):
    await stage.fire("Disk")

    await stage.do("escalate", await stage.incident(), seen_level=1, seen_repeat=1)

    incident = await stage.incident()
    assert await stage.told(incident) == ["First", "Second"]
    assert incident.escalation_epoch == 1
    assert await stage.violations() == []


async def test_8_escalating_an_acknowledged_incident_opens_it_again(stage):
    await stage.fire("Disk")
    await stage.do("acknowledge", await stage.incident(), by=stage.first)

    await stage.do("escalate", await stage.incident(), seen_level=1, seen_repeat=1)

    incident = await stage.incident()
    assert (incident.status.value, incident.assigned_user_id) == ("OPEN", None)
    assert await stage.told(incident) == ["First", "Second"]


async def test_7_escalating_from_a_level_that_has_moved_is_refused(stage):
    await stage.fire("Disk")
    await stage.wait(5)

    with pytest.raises(ClimbHasMoved):
        await stage.do("escalate", await stage.incident(), seen_level=1, seen_repeat=1)


async def test_escalating_at_the_last_level_points_to_restart(stage):
    await stage.fire("Disk")
    await stage.wait(5)

    with pytest.raises(ClimbAtItsEnd):
        await stage.do("escalate", await stage.incident(), seen_level=2, seen_repeat=1)


async def make_reachable(stage: Stage, person: User, *, reachable: bool) -> None:
    async with stage.transactions.open() as tx:
        (await tx.session.get_one(User, person.id)).is_active = reachable


async def test_escalating_pages_who_has_come_when_nobody_could_be_paged(stage):
    for person in (stage.first, stage.second, stage.manager):
        await make_reachable(stage, person, reachable=False)
    await stage.fire("Disk")
    await make_reachable(stage, stage.first, reachable=True)

    await stage.do("escalate", await stage.incident(), seen_level=0, seen_repeat=1)

    assert await stage.told(await stage.incident()) == ["First"]
    assert await stage.violations() == []


async def test_escalating_goes_back_to_a_level_that_was_passed_over(stage):
    await make_reachable(stage, stage.second, reachable=False)
    await stage.fire("Disk")
    await stage.wait(5)
    await make_reachable(stage, stage.second, reachable=True)

    await stage.do("escalate", await stage.incident(), seen_level=1, seen_repeat=1)

    incident = await stage.incident()
    assert await stage.told(incident) == ["First", "Manager", "Second"]
    assert incident.exhausted_at is None
    assert await stage.violations() == []


async def test_escalating_a_quiet_incident_pages_level_one(stage):
    await stage.fire("Disk", severity="info")

    await stage.do("escalate", await stage.incident(), seen_level=0, seen_repeat=1)

    assert await stage.told(await stage.incident()) == ["First"]


async def test_a_quiet_incident_that_wakes_from_a_snooze_pages_level_one(transactions, clock):
    stage = await Stage(transactions, clock).set_up(service={"grouping": "group"})
    group: dict[str, Any] = {"group_labels": {"a": "b"}, "labels": {"alertname": "Disk"}}
    await stage.fire("Disk1", severity="info", **group)
    await stage.do("snooze", await stage.incident(), until=stage.clock() + 60 * MINUTE)

    await stage.fire("Disk2", severity="critical", **group)

    assert await stage.told(await stage.incident()) == ["First"]
    assert await stage.violations() == []


async def test_restarting_begins_at_level_one(stage):
    await stage.fire("Disk")
    await stage.wait(10)

    await stage.do("restart", await stage.incident())

    incident = await stage.incident()
    assert (incident.escalation_epoch, incident.current_level) == (2, 1)
    assert incident.exhausted_at is None
    assert await stage.violations() == []


async def test_75_a_snooze_holds_the_climb_and_then_pages_its_level(stage):
    await stage.fire("Disk")

    await stage.do("snooze", await stage.incident(), until=stage.clock() + 60 * MINUTE)
    await stage.wait(59)
    before = await stage.told(await stage.incident())
    await stage.wait(1)

    assert before == ["First"]
    assert await stage.told(await stage.incident()) == ["First", "First"]


async def test_a_snooze_into_the_past_is_refused(stage):
    await stage.fire("Disk")

    with pytest.raises(Invalid):
        await stage.do("snooze", await stage.incident(), until=stage.clock())


async def test_the_same_snooze_again_changes_nothing(stage):
    await stage.fire("Disk")
    until = stage.clock() + 60 * MINUTE
    await stage.do("snooze", await stage.incident(), until=until)

    again = await stage.do("snooze", await stage.incident(), until=until)

    assert not again.changed
    assert await stage.kinds(await stage.incident()) == ["opened", "paged", "snoozed"]


async def test_a_restart_that_names_the_climb_it_saw_is_done_once(stage):
    await stage.fire("Disk")

    first = await stage.do("restart", await stage.incident(), seen_epoch=1)
    again = await stage.do("restart", await stage.incident(), seen_epoch=1)

    assert (first.changed, again.changed) == (True, False)
    assert await stage.told(await stage.incident()) == ["First", "First"]


async def test_another_teams_incident_does_not_exist(stage):
    await stage.fire("Disk")
    stage.principal = Principal(
        new_id(), "other", frozenset({Scope.RESPOND}), team_ids=frozenset({new_id()})
    )

    with pytest.raises(NotFound):
        await stage.do("acknowledge", await stage.incident())


async def test_every_verb_is_one_event_with_its_actor(stage):
    await stage.fire("Disk")
    for verb in ("acknowledge", "unacknowledge", "resolve", "reopen", "resolve", "close"):
        await stage.do(verb, await stage.incident(), by=stage.second)

    events = await stage.events(await stage.incident())
    by_second = [event.kind for event in events if event.actor["name"] == "Second"]
    assert by_second == [
        "acknowledged",
        "unacknowledged",
        "resolved",
        "reopened",
        "resolved",
        "closed",
    ]
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
