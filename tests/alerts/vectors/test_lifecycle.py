"""L: what a sender says one after the other."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, update
from tests.alerts.vectors.table import GOOD, NOW, PATH, alert, counted, webhook
from tests.stage import MINUTE, Stage, statuses

from incident_service.catalog.models import Integration
from incident_service.escalation import timers

FIRST = NOW - 10 * MINUTE


def firing(name: str = "Disk", at: datetime = FIRST, **changes: Any) -> dict[str, Any]:
    fields = {
        "labels": {"alertname": name, "severity": "critical"},
        "fingerprint": name,
        "startsAt": at.isoformat(),
    }
    return alert(**fields | changes)


def ended(end: datetime = NOW) -> dict[str, Any]:
    return firing(status="resolved", endsAt=end.isoformat())


@pytest.fixture
def say(sender: httpx.AsyncClient) -> Callable[..., Awaitable[list[str]]]:
    """Sends one webhook; says what became of its alerts."""

    async def say(*alerts: dict[str, Any], **around: Any) -> list[str]:
        answer = await sender.post(PATH, content=webhook(*alerts, **around))
        assert answer.status_code == 202
        return [one["outcome"] for one in answer.json()["results"]]

    return say


async def test_l1_the_end_of_something_unknown_opens_nothing(say, stage):
    outcomes = await say(ended())

    assert outcomes == ["ignored"]
    assert await counted(stage) == {"alerts": 1, "incidents": 0, "rejected_alerts": 0}


async def test_l2_a_firing_after_its_own_end_is_stale(say, stage):
    await say(ended())

    outcomes = await say(firing())
    await stage.wait(10)

    assert outcomes == ["stale"]
    assert await stage.incidents() == []


@pytest.mark.parametrize(
    ("minutes_later", "outcome", "expected"),
    [(14, "reopened", ["OPEN"]), (16, "opened", ["RESOLVED", "OPEN"])],
    ids=["L3 within the window", "L3 after it"],
)
async def test_an_alert_that_comes_back_is_a_new_episode(
    say, stage, minutes_later, outcome, expected
):
    await say(firing())
    await say(ended())
    await stage.wait(minutes_later)

    outcomes = await say(firing(at=stage.clock()))

    assert outcomes == [outcome]
    assert statuses(await stage.incidents()) == expected
    assert len(await stage.alerts()) == 2


async def test_l4_a_new_start_without_an_end_between_is_a_flap(say, stage):
    await say(firing())

    outcomes = await say(firing(at=FIRST + MINUTE))

    incident = await stage.incident()
    assert outcomes == ["joined"]
    assert (incident.flap_count, incident.alert_count, incident.firing_count) == (1, 2, 1)


async def test_l5_a_resend_after_four_hours_is_counted_and_no_more(say, stage):
    await say(firing())
    await stage.wait(4 * 60)
    incident = await stage.incident()
    before = await stage.kinds(incident), await stage.told(incident)

    outcomes = await say(firing())

    (stored,) = await stage.alerts()
    assert outcomes == ["repeated"]
    assert (stored.received_count, stored.last_received_at) == (2, stage.clock())
    assert (await stage.kinds(incident), await stage.told(incident)) == before


async def test_l6_what_a_group_no_longer_lists_stays_open(say, stage):
    names = ["A", "B", "C", "D", "E"]
    await say(*map(firing, names))

    await say(*map(firing, names[:3]))

    assert statuses(await stage.incidents()) == ["OPEN"] * 5


async def test_l7_an_end_told_fifteen_times_is_one_event(say, stage):
    await say(firing())

    outcomes = [await say(ended()) for _ in range(15)]

    assert outcomes == [["resolved"]] + [["repeated"]] * 14
    assert (await stage.kinds(await stage.incident())).count("resolved") == 1


async def test_l8_the_last_end_resolves_and_takes_the_timer_with_it(say, stage):
    await say(firing())

    await say(ended())

    incident = await stage.incident()
    assert incident.status == "RESOLVED"
    assert not await stage.is_waiting(incident)


async def test_l8_only_where_the_service_wants_that(transactions, clock):
    stage = await Stage(transactions, clock).set_up(service={"auto_resolve": False})
    await stage.fire("Disk")

    await stage.clear("Disk")

    assert statuses(await stage.incidents()) == ["OPEN"]


async def test_l9_a_step_that_is_due_while_the_alert_ends_pages_nobody(say, stage):
    # What happens at the very same moment is tried in tests/escalation/test_races.
    await say(firing())
    incident = await stage.incident()
    due = await stage.pending(incident)
    stage.clock.advance(minutes=5)

    await say(ended(end=stage.clock()))
    async with stage.transactions.open() as tx:
        await timers.run(tx, [due.id])

    assert await stage.told(incident) == ["First"]


async def test_l12_other_annotations_are_stored_and_nothing_follows(say, stage):
    await say(firing())
    before = await stage.kinds(await stage.incident())

    outcomes = await say(firing(annotations={"summary": "98 % full"}))

    (stored,) = await stage.alerts()
    assert outcomes == ["repeated"]
    assert stored.annotations == {"summary": "98 % full"}
    assert await stage.kinds(await stage.incident()) == before


async def test_l15_two_routes_that_deliver_one_alert_are_one_incident(say, stage):
    # Groups are not listed: an alert belongs to its sender and its labels, whatever brought it.
    await say(firing(), groupKey="{}/{team='x'}:{}", groupLabels={})

    outcomes = await say(firing(), groupKey="{}:{alertname='Disk'}")

    assert outcomes == ["repeated"]
    assert len(await stage.incidents()) == 1


async def test_l16_what_was_committed_climbs_though_no_job_was_sent(say, stage, queue):
    # A process that dies right there is killed in tests/chaos.
    queue.down = True
    await say(firing())

    await stage.wait(5)

    assert queue.jobs == []
    assert await stage.told(await stage.incident()) == ["First", "Second"]


async def disable(stage: Stage) -> None:
    async with stage.transactions.open() as tx:
        of_stage = update(Integration).where(Integration.id == stage.integration.id)
        await tx.session.execute(of_stage.values(is_enabled=False))


async def remove(stage: Stage) -> None:
    async with stage.transactions.open() as tx:
        await tx.session.execute(delete(Integration).where(Integration.id == stage.integration.id))


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [(disable, 403, "integration_disabled"), (remove, 401, "integration_key_not_valid")],
    ids=["L17 disabled", "L17 deleted"],
)
async def test_an_integration_that_goes_while_its_webhook_comes_is_refused(
    sender, stage, change, status, code
):
    async def body() -> AsyncIterator[bytes]:
        yield GOOD[:20]
        await change(stage)
        yield GOOD[20:]

    answer = await sender.post(PATH, content=body())

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert await counted(stage) == {"alerts": 0, "incidents": 0, "rejected_alerts": 0}


async def test_l17_what_was_stored_before_it_was_disabled_goes_on(say, stage):
    await say(firing())
    await disable(stage)

    await stage.wait(5)

    assert await stage.told(await stage.incident()) == ["First", "Second"]
