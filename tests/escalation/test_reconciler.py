"""The reconciler: what is due is done, and one poisoned incident never holds others."""

from datetime import timedelta

from sqlalchemy import update
from tests.fakes import FrozenClock
from tests.stage import MINUTE, SECOND, Stage

from incident_service.core.due import BATCH, LONGEST_REST, Resting
from incident_service.escalation.jobs import GRACE, overdue_timers
from incident_service.incidents.models import Incident


async def poison(stage: Stage, title: str) -> None:
    """Make one incident's plan unreadable: whatever runs its timer fails."""
    async with stage.transactions.open() as tx:
        await tx.session.execute(
            update(Incident).where(Incident.title.startswith(title)).values(escalation_plan={})
        )


async def told_at_level_2(stage: Stage) -> set[str]:
    return {
        incident.title.split()[0]
        for incident in await stage.incidents()
        if (await stage.told(incident)).count("Second")
    }


async def test_one_poisoned_incident_does_not_hold_the_others(stage):
    await stage.fire("Disk", "Memory", "Power")
    await poison(stage, "Memory")
    stage.clock.advance(minutes=6)

    await overdue_timers(stage.transactions).sweep()

    assert await told_at_level_2(stage) == {"Disk", "Power"}


async def test_a_poisoned_incident_rests_and_is_tried_again_when_it_is_mended(stage):
    await stage.fire("Disk")
    good_plan = (await stage.incident()).escalation_plan
    await poison(stage, "Disk")
    stage.clock.advance(minutes=6)
    timers = overdue_timers(stage.transactions)

    failed, rests = await timers.sweep(), await timers.sweep()
    async with stage.transactions.open() as tx:
        await tx.session.execute(update(Incident).values(escalation_plan=good_plan))
    stage.clock.advance(seconds=5)
    mended = await timers.sweep()

    assert [failed.done, rests.done, mended.done] == [0, 0, 1]
    assert await told_at_level_2(stage) == {"Disk"}


async def test_it_sleeps_until_the_next_timer_is_due(stage):
    await stage.fire("Disk")
    row = await stage.pending(await stage.incident())

    swept = await overdue_timers(stage.transactions).sweep()

    assert swept.next_in == row.scheduled_for + GRACE - stage.clock()


async def test_with_nothing_pending_it_sleeps_as_long_as_it_may(stage):
    swept = await overdue_timers(stage.transactions).sweep()

    assert swept.next_in is None


async def test_more_than_a_batch_goes_on_at_once(stage):
    await stage.fire(*(f"Disk{number}" for number in range(BATCH + 1)))
    stage.clock.advance(minutes=6)
    timers = overdue_timers(stage.transactions)

    first, second = await timers.sweep(), await timers.sweep()

    assert (first.done, first.next_in) == (BATCH, timedelta(0))
    assert second.done == 1


async def test_after_an_outage_each_incident_takes_one_step_and_says_how_late_it_was(stage):
    await stage.fire("Disk")

    stage.clock.advance(minutes=95)
    await stage.reconcile()
    await stage.reconcile()

    incident = await stage.incident()
    *_, paged = await stage.events(incident)
    assert await stage.told(incident) == ["First", "Second"]
    assert paged.data["late_s"] == 90 * 60
    assert (await stage.pending(incident)).scheduled_for == stage.clock() + 5 * MINUTE


def test_what_fails_again_and_again_rests_longer_each_time_up_to_a_bound():
    clock, resting = FrozenClock(), Resting[str]()
    rests = []

    for _ in range(20):
        resting.failed("a row", clock())
        began = clock()
        while "a row" in resting.at(clock()):
            clock.advance(seconds=1)
        rests.append(clock() - began)

    assert rests == sorted(rests)
    assert (rests[0], rests[-1]) == (2 * SECOND, LONGEST_REST)


def test_what_works_again_is_forgotten():
    clock, resting = FrozenClock(), Resting[str]()
    resting.failed("a row", clock())

    resting.worked("a row")

    assert resting.at(clock()) == []
