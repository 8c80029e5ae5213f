"""Two at the same instant, on real connections: the rows decide, and they decide once."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import text
from tests.api_steps import firing
from tests.stage import Stage, statuses

from incident_service.alerts.ingest import Payload, ingest
from incident_service.escalation import timers
from incident_service.escalation.jobs import overdue_timers
from incident_service.escalation.models import EscalationJob
from incident_service.incidents.locks import lock
from incident_service.response import actions


async def deadlocks(stage) -> int:
    async with stage.transactions.open() as tx:
        await tx.session.execute(text("SELECT pg_stat_force_next_flush()"))
        found = await tx.session.scalar(
            text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        )
    return int(found or 0)


async def test_59_fifty_identical_payloads_at_once_are_one_incident_an_alert(anonymous, stage):
    payload = {"version": "4", "alerts": [firing(f"Disk{number}") for number in range(10)]}
    headers = {"Authorization": f"Bearer {stage.key}"}
    before = await deadlocks(stage)

    answers = await asyncio.gather(
        *(
            anonymous.post("/v1/ingest/alertmanager", json=payload, headers=headers)
            for _ in range(50)
        )
    )

    incidents = await stage.incidents()
    outcomes = Counter(item["outcome"] for answer in answers for item in answer.json()["results"])
    assert {answer.status_code for answer in answers} == {202}
    assert outcomes == {"opened": 10, "repeated": 490}
    assert [incident.alert_count for incident in incidents] == [1] * 10
    assert [alert.received_count for alert in await stage.alerts()] == [50] * 10
    assert await deadlocks(stage) == before
    assert await stage.violations() == []


async def test_payloads_that_overlap_in_any_order_do_not_deadlock(stage):
    names = [f"Disk{number}" for number in range(12)]
    before = await deadlocks(stage)

    await asyncio.gather(
        *(stage.fire(*(names[number:] + names[:number])[:8]) for number in range(12))
    )

    assert len(await stage.incidents()) == 12
    assert await deadlocks(stage) == before


async def test_an_incident_that_opens_while_another_waits_to_reopen_is_joined(transactions, clock):
    stage = await Stage(transactions, clock).set_up(service={"grouping": "group"})
    group: dict[str, Any] = {
        "group_labels": {"cluster": "eu"},
        "labels": {"alertname": "Disk"},
    }
    await stage.fire("Disk1", **group)
    await stage.do("resolve", await stage.incident(), by=stage.first)
    await stage.wait(6)
    resent, newcomer = stage.alert("Disk1", **group), stage.alert("Disk2", **group)

    async with transactions.open() as tx:
        # Still firing long after the resolve by hand: this opens a new incident of the same key.
        await ingest(tx, [Payload(stage.integration.id, stage.service.id, (resent,))])
        waiting = asyncio.create_task(stage.send(newcomer))
        await until_somebody_waits(stage)

    assert [outcome.outcome for outcome in await waiting] == ["joined"]
    assert sorted(statuses(await stage.incidents())) == ["OPEN", "RESOLVED"]


async def due_row(stage: Stage) -> EscalationJob:
    await stage.fire("Disk")
    row = await stage.pending(await stage.incident())
    stage.clock.now = row.scheduled_for
    return row


async def run_row(stage, row) -> int:
    ran = await stage.transactions.run(lambda tx: timers.run(tx, [row.id]))
    return int(ran.count)


async def reconcile(stage) -> int:
    return (await overdue_timers(stage.transactions).sweep()).done


async def test_the_job_and_the_reconciler_at_the_same_instant_page_once(stage):
    row = await due_row(stage)
    stage.clock.advance(seconds=2)

    ran = await asyncio.gather(
        *(run_row(stage, row) for _ in range(4)),
        *(reconcile(stage) for _ in range(4)),
    )

    assert sum(ran) == 1
    assert await stage.told(await stage.incident()) == ["First", "Second"]
    assert await stage.violations() == []


async def test_1_an_acknowledge_that_comes_first_stops_the_step(stage):
    row = await due_row(stage)

    async with stage.transactions.open() as tx:
        # The acknowledge holds the incident; the step has to wait for it.
        await lock(tx.session, [row.incident_id])
        step = asyncio.create_task(run_row(stage, row))
        await until_somebody_waits(stage)
        incident = (await lock(tx.session, [row.incident_id]))[row.incident_id]
        await acknowledge_in(tx, stage, incident)

    assert await step == 0
    incident = await stage.incident()
    assert incident.status.value == "ACKNOWLEDGED"
    assert await stage.told(incident) == ["First"]


async def acknowledge_in(tx, stage, incident) -> None:
    await actions.acknowledge(tx, actions.Order(incident.id, stage.principal, stage.first.id))


async def test_1_a_step_that_comes_first_is_followed_by_the_acknowledge(stage):
    row = await due_row(stage)

    async with stage.transactions.open() as tx:
        await timers.run(tx, [row.id])
        acknowledge = asyncio.create_task(
            stage.do("acknowledge", await stage.incident(), by=stage.first)
        )
        await until_somebody_waits(stage)

    assert (await acknowledge).changed
    incident = await stage.incident()
    notifications = await stage.notifications(incident)
    assert await stage.told(incident) == ["First", "Second"]
    assert {item.status.value for item in notifications} == {"cancelled"}
    assert await stage.violations() == []


async def until_somebody_waits(stage) -> None:
    """Look until a transaction of this database waits for a lock."""
    for _ in range(500):
        async with stage.transactions.open() as tx:
            waiting = await tx.session.scalar(
                text(
                    "SELECT count(*) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND wait_event_type = 'Lock'"
                )
            )
        if waiting:
            return
    pytest.fail("nobody waited for a lock")


@pytest.mark.parametrize("verb", ["acknowledge", "resolve"])
async def test_verbs_against_the_reconciler_never_deadlock(stage, verb):
    await stage.fire(*(f"Disk{number}" for number in range(20)))
    incidents = await stage.incidents()
    before = await deadlocks(stage)
    stage.clock.advance(minutes=6)

    await asyncio.gather(
        *(stage.do(verb, incident, by=stage.first) for incident in incidents),
        *(reconcile(stage) for _ in range(4)),
        stage.clear(*(f"Disk{number}" for number in range(20))),
        return_exceptions=verb == "acknowledge",  # refused once the alerts have resolved it
    )

    assert await deadlocks(stage) == before
    assert await stage.violations() == []


async def test_the_same_person_acknowledging_from_two_phones_is_one_event(stage):
    await stage.fire("Disk")
    incident = await stage.incident()

    done = await asyncio.gather(
        *(stage.do("acknowledge", incident, by=stage.first) for _ in range(5))
    )

    assert [item.changed for item in done].count(True) == 1
    assert (await stage.kinds(incident)).count("acknowledged") == 1
