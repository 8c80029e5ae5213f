"""What responders do while an incident climbs; numbers are those of the field's corner cases."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from tests import factories
from tests.stage import MINUTE, Stage, is_news

from incident_service.escalation import timers
from incident_service.escalation.models import EscalationJob
from incident_service.incidents.lifecycle import NotAllowedNow
from incident_service.incidents.models import Incident
from incident_service.notifications.models import CancelReason
from incident_service.response import noting
from incident_service.response.actions import Order


async def test_2_what_was_paged_before_the_acknowledge_and_not_sent_says_why_it_was_not(stage):
    await stage.fire("Disk")
    await stage.wait(5)

    await stage.do("acknowledge", await stage.incident(), by=stage.first)

    rows = await stage.notifications(await stage.incident())
    assert {row.cancelled_because for row in rows} == {CancelReason.ACKNOWLEDGED}


async def test_3_of_two_who_acknowledge_at_once_one_has_it(stage):
    await stage.fire("Disk")
    incident = await stage.incident()

    done = await asyncio.gather(
        stage.do("acknowledge", incident, by=stage.first),
        stage.do("acknowledge", incident, by=stage.second),
    )

    winner = stage.first if done[0].changed else stage.second
    assert [each.changed for each in done].count(True) == 1
    assert (await stage.incident()).assigned_user_id == winner.id
    assert (await stage.kinds(incident)).count("acknowledged") == 1


async def test_4_an_acknowledge_of_what_is_closed_changes_nothing(stage):
    await stage.fire("Disk")
    await stage.clear("Disk")
    await stage.do("close", await stage.incident())
    before = await stage.incident()

    with pytest.raises(NotAllowedNow):
        await stage.do("acknowledge", before, by=stage.first)

    after = await stage.incident()
    assert (after.status, after.version) == (before.status, before.version)


@pytest.mark.parametrize("order", [1, -1])
async def test_5_a_resolve_wins_against_an_acknowledge_at_the_same_time(stage, order):
    await stage.fire("Disk")
    incident = await stage.incident()
    both = [stage.clear("Disk"), stage.do("acknowledge", incident, by=stage.first)]

    await asyncio.gather(*both[::order], return_exceptions=True)

    assert (await stage.incident()).status == "RESOLVED"
    assert (await stage.kinds(incident)).count("resolved") == 1
    assert not await stage.is_waiting(incident)


async def test_6_an_answer_to_an_old_incident_leaves_its_successor_alone(stage):
    await stage.fire("Disk")
    await stage.clear("Disk")
    await stage.wait(20)
    await stage.refire("Disk")
    old, new = await stage.incidents()

    with pytest.raises(NotAllowedNow):
        await stage.do("acknowledge", old, by=stage.first)

    assert [each.status.value for each in await stage.incidents()] == ["RESOLVED", "OPEN"]
    assert await stage.is_waiting(new)


async def test_9_given_back_and_taken_again_within_seconds_nobody_hears_of_it(stage):
    await stage.fire("Disk")
    await stage.mark_sent()
    await stage.do("acknowledge", await stage.incident(), by=stage.first)
    await stage.do("unacknowledge", await stage.incident(), by=stage.first)
    stage.clock.advance(seconds=3)

    await stage.do("acknowledge", await stage.incident(), by=stage.first)

    rows = await stage.notifications(await stage.incident())
    pages = [row.status.value for row in rows if not is_news(row)]
    assert pages == ["sent", "cancelled"]


async def test_10_an_acknowledge_needs_no_queue(stage, queue):
    await stage.fire("Disk")
    row = await stage.pending(await stage.incident())
    queue.down = True

    done = await stage.do("acknowledge", await stage.incident(), by=stage.first)
    stage.clock.now = row.scheduled_for
    late = await stage.transactions.run(lambda tx: timers.run(tx, [row.id]))

    assert done.changed
    assert late.count == 0
    assert await stage.told(await stage.incident()) == ["First"]


async def test_11_a_timer_is_executed_or_cancelled_never_both(stage):
    await stage.fire("Disk")
    incident = await stage.incident()
    row = await stage.pending(incident)
    stage.clock.now = row.scheduled_for

    await asyncio.gather(
        stage.transactions.run(lambda tx: timers.run(tx, [row.id])),
        stage.do("acknowledge", incident, by=stage.first),
    )

    rows = await stage.jobs(incident)
    assert not [each for each in rows if each.executed_at and each.cancelled_at]
    async with stage.transactions.open() as tx:
        both = update(EscalationJob).values(completed=True, executed_at=tx.now, cancelled_at=tx.now)
        with pytest.raises(IntegrityError):
            await tx.session.execute(both)
        await tx.session.rollback()


async def test_12_one_acknowledge_is_enough_for_everybody_at_a_level(transactions, clock):
    stage = await Stage(transactions, clock).set_up()
    async with transactions.open() as tx:
        policy = await factories.make_policy(tx, stage.team, [None])
        await tx.session.execute(update(type(stage.service)).values(escalation_policy_id=policy.id))
    await stage.fire("Disk")

    await stage.do("acknowledge", await stage.incident(), by=stage.first)

    rows = await stage.notifications(await stage.incident())
    assert len(rows) == 3
    assert {row.status.value for row in rows} == {"cancelled"}


async def test_60_a_re_send_of_what_is_acknowledged_counts_and_pages_nobody(stage):
    await stage.fire("Disk")
    await stage.do("acknowledge", await stage.incident(), by=stage.first)
    stage.clock.advance(minutes=5)

    await stage.fire("Disk")

    (alert,) = await stage.alerts()
    assert (alert.received_count, alert.last_received_at) == (2, stage.clock())
    assert await stage.told(await stage.incident()) == ["First"]


async def test_66_a_resolve_in_other_words_is_the_same_alert(stage):
    await stage.fire("Disk", annotations={"summary": "91 % full"})

    await stage.clear("Disk", annotations={"summary": "45 % full"})

    assert (await stage.incident()).status == "RESOLVED"


async def test_72_an_exhausted_incident_can_still_be_acknowledged(stage):
    await stage.fire("Disk")
    await stage.wait(10)

    done = await stage.do("acknowledge", await stage.incident(), by=stage.manager)

    assert done.changed
    assert not await stage.is_waiting(done.incident)


async def test_75_what_is_resolved_when_its_snooze_ends_stays_resolved(stage):
    await stage.fire("Disk")
    until = stage.clock() + 60 * MINUTE
    await stage.do("snooze", await stage.incident(), until=until)
    stage.clock.now = until

    await asyncio.gather(stage.do("resolve", await stage.incident()), stage.reconcile())
    await stage.wait(10)

    incident = await stage.incident()
    rows = await stage.notifications(incident)
    assert incident.status == "RESOLVED"
    assert {row.status.value for row in rows} == {"cancelled"}
    assert not await stage.is_waiting(incident)


@pytest.mark.parametrize("minutes", [30, 90])
async def test_76_another_snooze_takes_the_place_of_the_one_before(stage, minutes):
    await stage.fire("Disk")
    begun = stage.clock()
    await stage.do("snooze", await stage.incident(), until=begun + 60 * MINUTE)

    await stage.do("snooze", await stage.incident(), until=begun + minutes * MINUTE)
    await stage.wait(minutes - 1)
    before = await stage.told(await stage.incident())
    await stage.wait(1)

    assert before == ["First"]
    assert await stage.told(await stage.incident()) == ["First", "First"]
    assert await stage.violations() == []


async def test_78_incidents_that_are_linked_climb_on_each_by_itself(api, stage):
    await stage.fire("Disk", "Net")
    disk, net = await stage.incidents()
    await api.put(f"/v1/incidents/{disk.id}/related/{net.id}")

    await stage.do("acknowledge", disk, by=stage.first)
    await stage.wait(5)
    await api.delete(f"/v1/incidents/{disk.id}/related/{net.id}")

    disk, net = await stage.incidents()
    assert await stage.told(disk) == ["First"]
    assert await stage.told(net) == ["First", "Second"]
    assert [disk.escalation_epoch, net.escalation_epoch] == [1, 1]


async def test_81_nobody_is_told_of_what_they_did_themselves(stage):
    await stage.fire("Disk")
    await stage.mark_sent()

    await stage.do("acknowledge", await stage.incident(), by=stage.first)

    rows = await stage.notifications(await stage.incident())
    assert not any(is_news(row) for row in rows)


async def test_83_the_timer_of_an_incident_that_was_deleted_does_nothing(stage):
    await stage.fire("Disk")
    row = await stage.pending(await stage.incident())
    async with stage.transactions.open() as tx:
        await tx.session.execute(delete(Incident))
    stage.clock.now = row.scheduled_for + timedelta(seconds=2)

    ran = await stage.transactions.run(lambda tx: timers.run(tx, [row.id]))

    assert ran.count == 0
    assert await stage.rows(select(Incident)) == []


async def test_84_events_of_many_at_once_are_numbered_without_gaps(stage):
    await stage.fire("Disk")
    incident = await stage.incident()

    async def note(text: str) -> None:
        order = Order(incident.id, stage.principal, stage.first.id)
        await stage.transactions.run(lambda tx: noting.note(tx, order, text))

    await asyncio.gather(
        *(note(f"Look {number}.") for number in range(10)),
        stage.do("acknowledge", incident, by=stage.first),
        stage.clear("Disk"),
        return_exceptions=True,
    )

    events = await stage.events(incident)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert (await stage.incident()).event_count == len(events)
    assert [event.at for event in events] == sorted(event.at for event in events)
