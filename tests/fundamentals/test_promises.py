"""The promises of the service, one test each, to be read first.

`stage` is a small world: a team whose policy pages First, after five minutes Second, and at last
tells the Manager. Time is ours: `stage.wait(5)` lets five minutes pass with the reconciler at
work, and nothing else. No test here needs Redis, except where Redis is what the promise is about.
"""

import asyncio
from contextlib import suppress
from itertools import permutations

import pytest
from sqlalchemy import text
from tests.api_steps import firing
from tests.maintenance.arrangements import maintain
from tests.stage import MINUTE, Stage, statuses

from incident_service.core.db import Transactions, make_engine, make_sessions
from incident_service.escalation import timers
from incident_service.escalation.jobs import overdue_timers
from incident_service.escalation.models import EscalationJob
from incident_service.main import equip
from incident_service.teams.models import User


async def send(client, key: str, *alerts: dict[str, object]):
    return await client.post(
        "/v1/ingest/alertmanager",
        json={"version": "4", "alerts": list(alerts)},
        headers={"Authorization": f"Bearer {key}"},
    )


async def test_p1_an_alert_that_is_answered_with_2xx_is_in_the_database(anonymous, stage):
    answer = await send(anonymous, stage.key, firing("Disk"))

    # Asked on a connection of its own: only what is committed can be seen there.
    assert answer.status_code == 202
    assert [alert.labels["alertname"] for alert in await stage.alerts()] == ["Disk"]


async def test_p1_an_alert_that_cannot_be_stored_is_not_answered_with_2xx(
    anonymous, app, stage, queue, clock
):
    gone = make_engine("postgresql+asyncpg://nobody@127.0.0.1:1/none")
    equip(app, app.state.settings, Transactions(make_sessions(gone), queue, clock))

    answer = await send(anonymous, stage.key, firing("Disk"))

    assert answer.status_code == 503
    await gone.dispose()


async def test_p2_the_same_webhook_from_many_senders_at_once_is_one_incident_an_alert(stage):
    stage.alert("Disk"), stage.alert("Memory")

    await asyncio.gather(*(stage.fire("Disk", "Memory") for _ in range(20)))

    assert len(await stage.incidents()) == len(await stage.alerts()) == 2


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_p2_the_order_of_arrival_does_not_change_where_it_ends(stage, order):
    fired = stage.alert("Disk")
    stage.clock.advance(minutes=1)
    resolved = stage.alert("Disk", firing=False)
    stage.clock.advance(minutes=1)
    fired_again = stage.alert("Disk", starts_at=stage.clock())
    messages = [fired, resolved, fired_again]

    for index in (*order, *order):  # everything twice
        await stage.send(messages[index])
    await stage.wait(2)  # beyond the hold

    active = [item for item in await stage.incidents() if item.status.is_active]
    assert [(item.status.value, item.firing_count) for item in active] == [("OPEN", 1)]
    assert {(alert.starts_at, alert.status.value) for alert in await stage.alerts()} == {
        (fired.starts_at, "resolved"),
        (fired_again.starts_at, "firing"),
    }


async def test_p2_a_constraint_holds_it_not_the_application(stage):
    await stage.fire("Disk")

    with pytest.raises(Exception, match="uq_incidents_active"):
        async with stage.transactions.open() as tx:
            await tx.session.execute(
                text("""
                    INSERT INTO incidents SELECT (jsonb_populate_record(i, jsonb_build_object(
                        'id', gen_random_uuid(), 'number', -1))).* FROM incidents i
                """)
            )


async def test_p3_an_open_incident_always_waits_for_exactly_one_timer(stage):
    await stage.fire("Disk", "Memory", "Power")
    await stage.fire("Watchdog", severity="none")
    disk, memory, power, _ = await stage.incidents()
    await stage.do("acknowledge", disk, by=stage.first)
    await stage.do("snooze", memory, until=stage.clock() + 30 * MINUTE)

    for _ in range(50):
        assert await stage.violations() == []
        await stage.wait(1)
        if not await stage.is_waiting(power):
            break

    assert await stage.violations() == []


async def test_p4_a_step_takes_effect_once_however_often_it_is_delivered(stage):
    await stage.fire("Disk")
    row = await stage.pending(await stage.incident())
    stage.clock.advance(minutes=6)

    async def as_the_reconciler() -> int:
        return (await overdue_timers(stage.transactions).sweep()).done

    async def as_a_job() -> int:
        ran = await stage.transactions.run(lambda tx: timers.run(tx, [row.id]))
        return int(ran.count)

    ran = await asyncio.gather(
        *(as_a_job() for _ in range(5)), *(as_the_reconciler() for _ in range(5))
    )

    assert sum(ran) == 1
    assert await stage.told(await stage.incident()) == ["First", "Second"]


async def run_and_die(stage: Stage, row: EscalationJob) -> None:
    """Run a timer, and lose power before the commit."""
    with suppress(ZeroDivisionError):
        async with stage.transactions.open() as tx:
            await timers.run(tx, [row.id])
            _ = 1 / 0


async def test_p4_a_step_that_dies_before_its_commit_has_not_happened(stage):
    await stage.fire("Disk")
    row = await stage.pending(await stage.incident())
    stage.clock.advance(minutes=6)

    await run_and_die(stage, row)
    half_way = await stage.told(await stage.incident())
    await stage.reconcile()

    assert half_way == ["First"]
    assert await stage.told(await stage.incident()) == ["First", "Second"]


@pytest.mark.parametrize("verb", ["acknowledge", "resolve", "snooze"])
async def test_p5_after_an_answer_nobody_is_paged_even_without_redis(stage, queue, verb):
    await stage.fire("Disk")
    queue.down = True
    arguments = {"until": stage.clock() + 120 * MINUTE} if verb == "snooze" else {}

    await stage.do(verb, await stage.incident(), by=stage.first, **arguments)
    await stage.wait(60)

    incident = await stage.incident()
    assert await stage.told(incident) == ["First"]
    assert [row.status.value for row in await stage.notifications(incident)] == ["cancelled"]


async def test_p5_while_maintenance_lasts_nobody_is_paged_even_without_redis(api, stage, queue):
    await stage.fire("Disk")
    queue.down = True

    await maintain(api, stage, 120)
    await stage.fire("Memory")
    await stage.wait(60)

    disk, memory = await stage.incidents()
    assert (await stage.told(disk), await stage.told(memory)) == (["First"], [])
    assert [row.status.value for row in await stage.notifications(disk)] == ["cancelled"]
    assert await stage.violations() == []


async def test_p6_without_redis_the_page_climbs_all_the_same(stage, queue):
    queue.down = True

    await stage.fire("Disk")
    await stage.wait(5)

    assert await stage.told(await stage.incident()) == ["First", "Second"]


async def test_p7_what_was_committed_goes_on_after_a_pause_of_any_length(stage):
    await stage.fire("Disk")

    stage.clock.advance(hours=30)  # every process was dead, and every job in Redis has expired
    await stage.reconcile()

    assert await stage.told(await stage.incident()) == ["First", "Second"]


# P8, at least once and with one idempotency key: tests/fundamentals/test_delivery.py, because it
# takes a channel that fails.


async def test_p9_every_change_is_one_event_with_its_actor_and_without_gaps(stage):
    await stage.fire("Disk")
    await stage.wait(5)
    await stage.do("acknowledge", await stage.incident(), by=stage.second)
    await stage.clear("Disk")

    events = await stage.events(await stage.incident())
    sender = stage.integration.name
    assert [(event.sequence, event.kind, event.actor["name"]) for event in events] == [
        (1, "opened", sender),
        (2, "paged", "incident-service"),
        (3, "paged", "incident-service"),
        (4, "acknowledged", "Second"),
        (5, "resolved", sender),
    ]


async def test_p9_a_change_that_is_rolled_back_leaves_no_event(stage):
    await stage.fire("Disk")
    row = await stage.pending(await stage.incident())
    stage.clock.advance(minutes=6)

    await run_and_die(stage, row)

    assert await stage.kinds(await stage.incident()) == ["opened", "paged"]


async def test_p10_one_bad_alert_does_not_cost_its_neighbours(anonymous, stage):
    answer = await send(anonymous, stage.key, firing("Disk"), None, firing("Memory"))  # type: ignore[arg-type]  # that is the point

    body = answer.json()
    assert (answer.status_code, body["accepted"], body["rejected"]) == (202, 2, 1)
    assert body["errors"][0]["index"] == 1
    assert statuses(await stage.incidents()) == ["OPEN", "OPEN"]


async def test_p10_what_cannot_be_read_gets_a_clear_error(anonymous, stage):
    answer = await anonymous.post(
        "/v1/ingest/alertmanager",
        content=b'{"alerts": [',
        headers={"Authorization": f"Bearer {stage.key}"},
    )

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


async def make_unreachable(stage: Stage, *people: User) -> None:
    async with stage.transactions.open() as tx:
        for person in people:
            (await tx.session.get_one(User, person.id)).is_active = False


async def test_p11_nobody_at_the_levels_then_the_managers_are_told(stage):
    await make_unreachable(stage, stage.first, stage.second)

    await stage.fire("Disk")

    incident = await stage.incident()
    assert await stage.told(incident) == ["Manager"]
    assert "nobody_to_page" in await stage.kinds(incident)


async def test_p11_really_nobody_then_an_event_says_so_and_it_is_looked_at_again(stage):
    await make_unreachable(stage, stage.first, stage.second, stage.manager)

    await stage.fire("Disk")
    await make_reachable(stage, stage.second)
    await stage.wait(5)

    incident = await stage.incident()
    assert "nobody_to_page" in await stage.kinds(incident)
    assert await stage.told(incident) == ["Second"]


async def make_reachable(stage: Stage, person: User) -> None:
    async with stage.transactions.open() as tx:
        (await tx.session.get_one(User, person.id)).is_active = True


async def test_p11_a_policy_that_runs_out_tells_the_managers(stage):
    await stage.fire("Disk")

    await stage.wait(10)

    incident = await stage.incident()
    assert (await stage.told(incident))[-1] == "Manager"
    assert "exhausted" in await stage.kinds(incident)
