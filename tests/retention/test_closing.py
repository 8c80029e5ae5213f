"""What stays resolved is closed by itself."""

from datetime import timedelta

import pytest
from sqlalchemy import select
from tests import factories

from incident_service.alerts import quarantine
from incident_service.incidents.lifecycle import Status
from incident_service.incidents.models import Incident
from incident_service.retention.closing import CLOSED_AT_ONCE, close_old
from incident_service.retention.jobs import CLOSE_EVERY, PAUSE, PRUNE_EVERY, retention_sweeps
from incident_service.retention.terms import Terms
from incident_service.settings import Settings

MONTH, DAY = timedelta(days=30), timedelta(days=1)
# A sweep that says nothing for longer looks stuck; see monitoring/rules.yml.
LOOKS_STUCK_S = 180


async def close(stage, keep: timedelta = MONTH) -> int:
    closed: int = await stage.transactions.run(lambda tx: close_old(tx, keep))
    return closed


async def test_what_was_resolved_a_month_ago_is_closed_by_the_service(stage):
    await stage.fire("Disk")
    await stage.clear("Disk")
    stage.clock.now += MONTH + DAY

    closed = await close(stage)

    incident = await stage.incident()
    event = (await stage.events(incident))[-1]
    assert closed == 1
    assert (incident.status, incident.closed_at) == (Status.CLOSED, stage.clock.now)
    assert (event.kind, event.actor["type"]) == ("closed", "system")
    assert event.reason == "resolved more than 30 days ago"
    assert event.sequence == incident.event_count


async def test_nothing_else_is_closed(stage):
    await stage.fire("Open", "Acknowledged", "Resolved lately")
    _, acknowledged, _ = await stage.incidents()
    await stage.do("acknowledge", acknowledged, by=stage.first)
    stage.clock.now += MONTH
    await stage.clear("Resolved lately")
    stage.clock.now += DAY

    assert await close(stage) == 0
    assert await stage.violations() == []


async def test_71_one_that_somebody_reopens_just_now_is_passed_over(stage):
    await stage.fire("Disk")
    await stage.clear("Disk")
    stage.clock.now += MONTH + DAY

    async with stage.transactions.open() as busy:
        await busy.session.execute(select(Incident).with_for_update())
        meanwhile = await close(stage)

    assert meanwhile == 0
    assert await close(stage) == 1
    assert await close(stage) == 0


async def test_many_are_closed_batch_by_batch_once_an_hour(stage, transactions):
    async with transactions.open() as tx:
        for _ in range(CLOSED_AT_ONCE + 1):
            await factories.make_incident(
                tx,
                stage.service,
                status=Status.RESOLVED,
                created_at=tx.now - 2 * MONTH,
                resolved_at=tx.now - 2 * MONTH,
            )
    sweep = retention_sweeps(transactions, Terms(close=MONTH))[0]

    first, second, third = [await sweep.run() for _ in range(3)]
    stage.clock.now += CLOSE_EVERY
    fourth = await sweep.run()

    assert (first.done, first.next_in) == (CLOSED_AT_ONCE, PAUSE)
    assert (second.done, second.next_in) == (1, None)
    assert [third.done, fourth.done] == [0, 0]


async def test_a_round_of_forgetting_is_done_once_a_day(stage, transactions):
    sweep = retention_sweeps(transactions, Terms(incidents=MONTH))[1]
    await sweep.run()
    async with transactions.open() as tx:
        old = tx.now - 2 * MONTH
        await factories.make_incident(
            tx, stage.service, status=Status.CLOSED, created_at=old, closed_at=old
        )

    at_once = await sweep.run()
    stage.clock.now += PRUNE_EVERY
    a_day_later = await sweep.run()

    assert (sweep.name, at_once.done) == ("prune_incidents", 0)
    assert a_day_later.done > 0


async def test_without_a_time_nothing_is_closed_or_forgotten(stage, transactions):
    await stage.fire("Disk")
    await stage.clear("Disk")
    stage.clock.now += 100 * MONTH

    swept = [await sweep.run() for sweep in retention_sweeps(transactions, Terms())]

    assert [each.done for each in swept] == [0] * len(swept)
    assert (await stage.incident()).status is Status.RESOLVED


def test_no_sweep_looks_stuck_while_it_waits_for_its_time(transactions):
    every = [sweep.every_s for sweep in retention_sweeps(transactions, Terms())]

    assert max(*every, quarantine.PRUNE_EVERY_S) < LOOKS_STUCK_S


@pytest.mark.parametrize("days", [1, 30])
def test_the_audit_log_is_kept_for_more_than_thirty_days(days):
    with pytest.raises(ValueError, match="must be more than 30, or 0"):
        Settings(_env_file=None, keep_audit_days=days)
