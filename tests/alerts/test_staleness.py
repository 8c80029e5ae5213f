from datetime import timedelta

import pytest
from tests.stage import Stage

from incident_service.alerts.models import AlertStatus
from incident_service.alerts.senders import note_heard
from incident_service.alerts.staleness import silent_alerts, stale_alerts
from incident_service.incidents.lifecycle import Status

RESOLVES = {"stale_after_minutes": 60, "resolve_stale": True}


async def on_stage(transactions, clock, **service) -> Stage:
    return await Stage(transactions, clock).set_up(service={"stale_after_minutes": 60} | service)


async def sweep(transactions) -> int:
    return (await silent_alerts(transactions).sweep()).done


async def heard(transactions, stage: Stage) -> None:
    """The sender says something, whatever it is."""
    async with transactions.open() as tx:
        await note_heard(tx, [stage.integration.id])


@pytest.mark.parametrize(("minutes", "is_stale"), [(59.9, False), (60, True)])
async def test_an_alert_that_is_not_sent_again_in_time_is_stale(
    transactions, clock, minutes, is_stale
):
    stage = await on_stage(transactions, clock)
    await stage.fire("Disk")
    clock.advance(minutes=minutes)

    await sweep(transactions)

    (alert,) = await stage.alerts()
    assert alert.stale_at == (clock.now if is_stale else None)
    assert alert.status is AlertStatus.FIRING
    assert (await stage.incident()).status is Status.OPEN


async def test_a_re_send_keeps_an_alert_from_being_stale(transactions, clock):
    stage = await on_stage(transactions, clock)
    await stage.fire("Disk")
    clock.advance(minutes=50)
    await stage.fire("Disk")
    clock.advance(minutes=50)

    assert await sweep(transactions) == 0


async def test_the_timeline_says_which_alerts_are_stale_once(transactions, clock):
    stage = await on_stage(transactions, clock, grouping="labels", grouping_labels=["severity"])
    await stage.fire("Disk", "Net")
    clock.advance(minutes=60)

    await sweep(transactions)
    await sweep(transactions)

    incident = await stage.incident()
    (event,) = [event for event in await stage.events(incident) if event.kind == "alerts_stale"]
    assert event.data["count"] == 2


async def test_what_is_sent_again_is_no_longer_stale(transactions, clock):
    stage = await on_stage(transactions, clock)
    await stage.fire("Disk")
    clock.advance(minutes=60)
    await sweep(transactions)

    await stage.fire("Disk")

    assert [alert.stale_at for alert in await stage.alerts()] == [None]


@pytest.mark.parametrize("how", ["clear", "refire"])
async def test_what_has_ended_is_not_stale(transactions, clock, how):
    stage = await on_stage(transactions, clock)
    await stage.fire("Disk")
    clock.advance(minutes=60)
    await sweep(transactions)

    await getattr(stage, how)("Disk")

    assert (await stage.alerts())[0].stale_at is None


async def test_a_service_without_a_limit_has_no_stale_alerts(transactions, clock):
    stage = await on_stage(transactions, clock, stale_after_minutes=None)
    await stage.fire("Disk")
    clock.advance(minutes=100_000)

    assert await sweep(transactions) == 0


async def test_a_stale_alert_is_not_resolved_unless_that_is_asked_for(transactions, clock):
    stage = await on_stage(transactions, clock)
    await stage.fire("Disk")
    clock.advance(minutes=60)
    await sweep(transactions)
    clock.advance(minutes=10)
    await heard(transactions, stage)

    await stale_alerts(transactions).sweep()

    assert (await stage.incident()).status is Status.OPEN


async def test_a_silent_sender_resolves_nothing(transactions, clock):
    stage = await on_stage(transactions, clock, **RESOLVES)
    await stage.fire("Disk")
    await heard(transactions, stage)
    clock.advance(minutes=60)
    await sweep(transactions)
    clock.advance(minutes=1000)

    await stale_alerts(transactions).sweep()

    assert (await stage.incident()).status is Status.OPEN


@pytest.mark.parametrize(("minutes", "status"), [(9, Status.OPEN), (10, Status.RESOLVED)])
async def test_a_stale_alert_is_resolved_once_its_sender_speaks_of_others(
    transactions, clock, minutes, status
):
    stage = await on_stage(transactions, clock, **RESOLVES)
    await stage.fire("Disk")
    clock.advance(minutes=60)
    await sweep(transactions)
    clock.advance(minutes=minutes)
    await heard(transactions, stage)

    await stale_alerts(transactions).sweep()

    incident = await stage.incident()
    assert incident.status is status
    assert await stage.violations() == []


async def test_the_timeline_says_why_it_was_resolved(transactions, clock):
    stage = await on_stage(transactions, clock, **RESOLVES)
    await stage.fire("Disk")
    clock.advance(minutes=60)
    await sweep(transactions)
    clock.advance(minutes=10)
    await heard(transactions, stage)

    await stale_alerts(transactions).sweep()

    event = (await stage.events(await stage.incident()))[-1]
    assert event.kind == "resolved"
    assert "no longer" in (event.reason or "")


async def test_an_alert_that_was_resolved_as_stale_may_come_back(transactions, clock):
    stage = await on_stage(transactions, clock, **RESOLVES)
    await stage.fire("Disk")
    clock.advance(minutes=60)
    await sweep(transactions)
    clock.advance(minutes=10)
    await heard(transactions, stage)
    await stale_alerts(transactions).sweep()

    await stage.fire("Disk")
    await stage.wait(minutes=1)

    assert (await stage.incident()).status is Status.OPEN


async def test_a_sender_is_noted_as_heard_of_once_a_minute(api, stage, clock):
    url = f"/v1/integrations/{stage.integration.id}"
    began = clock.now
    heard_at = []
    for seconds in (0, 59, 60):
        clock.now = began + timedelta(seconds=seconds)
        await api.post(f"/v1/ingest/alertmanager/{stage.key}", json={"alerts": []})
        heard_at.append((await api.get(url)).json()["last_heard_at"])

    assert heard_at == [
        "2026-11-02T12:00:00Z",
        "2026-11-02T12:00:00Z",
        "2026-11-02T12:01:00Z",
    ]


async def test_a_sender_that_was_never_heard_of_says_so(api, stage):
    answer = await api.get(f"/v1/integrations/{stage.integration.id}")

    assert answer.json()["last_heard_at"] is None
