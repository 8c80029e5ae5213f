"""Alerts folded into incidents: each row of what a firing alert may meet, on real rows."""

from datetime import timedelta

import msgspec
import pytest
from tests import factories
from tests.stage import MINUTE, SECOND, Stage, statuses

from incident_service.alerts.ingest import Payload, ingest
from incident_service.alerts.models import AlertStatus


async def test_a_new_alert_opens_an_incident(stage):
    outcomes = await stage.fire("Disk")

    incident = await stage.incident()
    assert outcomes == ["opened"]
    assert (incident.status.value, incident.priority.value) == ("OPEN", "critical")
    assert (incident.alert_count, incident.firing_count) == (1, 1)
    assert incident.title == "Disk is on fire"


async def test_a_resend_counts_and_does_nothing_else(stage):
    await stage.fire("Disk")
    before = await stage.incident()
    stage.clock.advance(minutes=2)

    outcomes = await stage.fire("Disk")

    (alert,) = await stage.alerts()
    assert outcomes == ["repeated"]
    assert (alert.received_count, alert.last_received_at) == (2, stage.clock())
    assert (await stage.incident()).version == before.version


async def test_a_second_alert_is_an_incident_of_its_own(stage):
    await stage.fire("Disk", "Memory")

    assert statuses(await stage.incidents()) == ["OPEN", "OPEN"]


async def test_with_grouping_by_group_alerts_share_an_incident(transactions, clock):
    stage = await Stage(transactions, clock).set_up(service={"grouping": "group"})

    first = await stage.fire("Disk", group_labels={"cluster": "eu"}, labels={"alertname": "X"})
    second = await stage.fire("Memory", group_labels={"cluster": "eu"}, labels={"alertname": "X"})

    incident = await stage.incident()
    assert (first, second) == (["opened"], ["joined"])
    assert (incident.alert_count, incident.firing_count) == (2, 2)
    assert await stage.told(incident) == ["First"]


async def test_67_with_grouping_by_labels_the_chosen_labels_decide(transactions, clock):
    stage = await Stage(transactions, clock).set_up(
        service={"grouping": "labels", "grouping_labels": ["cluster"]}
    )

    await stage.fire("Disk", labels={"cluster": "eu"})
    await stage.fire("Memory", labels={"cluster": "eu"})
    await stage.fire("Disk2", labels={"cluster": "us"})

    assert [incident.alert_count for incident in await stage.incidents()] == [2, 1]


async def test_the_same_fingerprint_from_two_senders_is_two_alerts(stage):
    await stage.fire("Disk")
    async with stage.transactions.open() as tx:
        stage.integration, _ = await factories.make_integration(tx, stage.service)

    await stage.fire("Disk")

    assert len(await stage.incidents()) == 2


# --- none, or over for longer than the reopen window ---------------------------------------


async def test_61_after_the_reopen_window_a_linked_incident_opens(stage):
    await stage.fire("Disk")
    await stage.clear("Disk")
    await stage.wait(16)

    outcomes = await stage.refire("Disk")

    old, new = await stage.incidents()
    assert outcomes == ["opened"]
    assert new.previous_incident_id == old.id
    assert statuses([old, new]) == ["RESOLVED", "OPEN"]


# --- RESOLVED within the reopen window ------------------------------------------------------


async def test_63_an_unanswered_incident_reopens_and_goes_on_with_its_remaining_time(stage):
    await stage.fire("Disk")
    await stage.mark_sent()
    await stage.wait(2)
    await stage.clear("Disk")
    await stage.wait(10)

    outcomes = await stage.refire("Disk")

    incident = await stage.incident()
    assert outcomes == ["reopened"]
    assert incident.escalation_epoch == 1
    assert await stage.told(incident) == ["First"]
    assert (await stage.pending(incident)).scheduled_for == stage.clock() + 3 * MINUTE


async def test_an_unanswered_incident_whose_page_was_never_sent_pages_its_level_again(stage):
    await stage.fire("Disk")
    await stage.wait(2)
    await stage.clear("Disk")

    await stage.refire("Disk")

    incident = await stage.incident()
    assert [row.status.value for row in await stage.notifications(incident)] == [
        "cancelled",
        "pending",
    ]
    assert await stage.told(incident) == ["First", "First"]
    assert (await stage.pending(incident)).scheduled_for == stage.clock() + 5 * MINUTE


async def test_an_alert_joins_the_active_incident_of_its_key_though_a_newer_one_is_over(
    transactions, clock
):
    stage = await Stage(transactions, clock).set_up(service={"reopen_window_minutes": 0})
    await stage.fire("Disk")
    await stage.clear("Disk")
    stage.clock.advance(minutes=1)
    await stage.refire("Disk")
    await stage.clear("Disk")
    older, _ = await stage.incidents()
    await stage.do("reopen", older, by=stage.first)
    stage.clock.advance(minutes=1)

    outcomes = await stage.refire("Disk")

    older, newer = await stage.incidents()
    assert outcomes == ["joined"]
    assert statuses([older, newer]) == ["OPEN", "RESOLVED"]


async def test_a_resolve_that_ends_before_it_began_ends_its_episode_all_the_same(stage):
    await stage.fire("Disk")

    outcomes = await stage.clear("Disk", ends_at=stage.clock() - 5 * MINUTE)

    assert outcomes == ["resolved"]
    assert statuses(await stage.incidents()) == ["RESOLVED"]


async def test_an_answered_incident_reopens_at_level_one(stage):
    await stage.fire("Disk")
    await stage.do("acknowledge", await stage.incident(), by=stage.first)
    await stage.clear("Disk")
    stage.clock.advance(minutes=1)

    await stage.refire("Disk")

    incident = await stage.incident()
    assert (incident.status.value, incident.escalation_epoch) == ("OPEN", 2)
    assert (incident.assigned_user_id, incident.acknowledged_at) == (None, None)
    assert await stage.told(incident) == ["First", "First"]


async def test_63_reopening_counts_as_flapping(stage):
    await stage.fire("Disk")
    await stage.clear("Disk")
    stage.clock.advance(minutes=1)

    await stage.refire("Disk")

    incident = await stage.incident()
    assert (incident.flap_count, incident.alert_count, incident.firing_count) == (1, 2, 1)


# --- OPEN -----------------------------------------------------------------------------------


@pytest.fixture
async def grouped(transactions, clock):
    """A service that puts everything into one incident."""
    return await Stage(transactions, clock).set_up(
        service={"grouping": "labels", "grouping_labels": ["cluster"]}
    )


async def test_joining_a_climb_pages_nobody_extra(grouped):
    await grouped.fire("Disk")

    outcomes = await grouped.fire("Memory")

    incident = await grouped.incident()
    assert outcomes == ["joined"]
    assert await grouped.told(incident) == ["First"]
    assert incident.alert_count == 2


async def test_joining_an_exhausted_incident_begins_the_climb_again(grouped):
    await grouped.fire("Disk")
    await grouped.wait(10)

    await grouped.fire("Memory")

    incident = await grouped.incident()
    assert incident.exhausted_at is None
    assert incident.escalation_epoch == 2
    assert (await grouped.told(incident))[-1] == "First"


# --- ACKNOWLEDGED ---------------------------------------------------------------------------


async def test_joining_an_acknowledged_incident_tells_the_assignee_once_in_five_minutes(grouped):
    await grouped.fire("Disk")
    await grouped.do("acknowledge", await grouped.incident(), by=grouped.second)

    await grouped.fire("Memory")
    await grouped.fire("Network")
    await grouped.wait(5)
    await grouped.fire("Power")

    incident = await grouped.incident()
    assert incident.status.value == "ACKNOWLEDGED"
    assert await grouped.told(incident) == ["First", "Second", "Second"]


async def test_who_acknowledges_after_a_timeout_is_told_like_the_one_before(transactions, clock):
    stage = await Stage(transactions, clock).set_up(
        service={"grouping": "labels", "grouping_labels": ["severity"]},
        policy={"ack_timeout_minutes": 10},
    )
    await stage.fire("Disk")
    await stage.do("acknowledge", await stage.incident(), by=stage.first)
    await stage.wait(9)
    await stage.fire("Memory")
    await stage.wait(1)
    await stage.do("acknowledge", await stage.incident(), by=stage.second)

    await stage.fire("Network")

    assert await stage.told(await stage.incident()) == ["First", "First", "First", "Second"]


async def test_a_higher_priority_than_at_the_acknowledge_pages_again(grouped):
    await grouped.fire("Disk", severity="warning")
    await grouped.do("acknowledge", await grouped.incident(), by=grouped.second)

    await grouped.fire("Memory", severity="critical")

    incident = await grouped.incident()
    assert (incident.status.value, incident.priority.value) == ("OPEN", "critical")
    assert incident.escalation_epoch == 2
    assert await grouped.told(incident) == ["First", "First"]


async def test_an_acknowledge_older_than_an_hour_does_not_cover_new_alerts(grouped):
    await grouped.fire("Disk")
    await grouped.do("acknowledge", await grouped.incident(), by=grouped.second)
    await grouped.wait(61)

    await grouped.fire("Memory")

    assert (await grouped.incident()).status.value == "OPEN"


# --- snoozed --------------------------------------------------------------------------------


async def test_joining_a_snoozed_incident_is_quiet(grouped):
    await grouped.fire("Disk", severity="warning")
    await grouped.do("snooze", await grouped.incident(), until=grouped.clock() + timedelta(hours=1))

    await grouped.fire("Memory", severity="warning")

    assert await grouped.told(await grouped.incident()) == ["First"]


async def test_a_higher_priority_ends_the_snooze(grouped):
    await grouped.fire("Disk", severity="warning")
    await grouped.do("snooze", await grouped.incident(), until=grouped.clock() + timedelta(hours=1))

    await grouped.fire("Memory", severity="critical")

    incident = await grouped.incident()
    assert incident.snoozed_until is None
    assert await grouped.told(incident) == ["First", "First"]


# --- firing again what has resolved: the hold ----------------------------------------------


async def test_a_firing_after_its_resolve_is_held_and_then_reopens(stage):
    await stage.fire("Disk")
    await stage.clear("Disk")

    outcomes = await stage.fire("Disk")
    held = await stage.incident()
    await stage.wait(1)

    incident = await stage.incident()
    assert outcomes == ["held"]
    assert held.status.value == "RESOLVED"
    assert (incident.status.value, incident.alert_count, incident.firing_count) == ("OPEN", 1, 1)


async def test_another_resolve_within_the_hold_ends_it(stage):
    await stage.fire("Disk")
    await stage.clear("Disk")
    await stage.fire("Disk")

    await stage.clear("Disk")
    await stage.wait(10)

    assert (await stage.incident()).status.value == "RESOLVED"


async def test_a_firing_whose_resolve_came_first_is_stale(stage):
    first = await stage.clear("Disk")

    second = await stage.fire("Disk")
    await stage.wait(10)

    assert (first, second) == (["ignored"], ["stale"])
    assert await stage.incidents() == []


async def test_a_held_episode_is_dropped_when_a_newer_one_fires(stage):
    await stage.fire("Disk")
    old = stage.began_at["Disk"]
    stage.clock.advance(seconds=10)
    await stage.clear("Disk")
    await stage.fire("Disk")
    stage.clock.advance(seconds=10)
    await stage.refire("Disk")

    await stage.wait(2)

    firing = [alert for alert in await stage.alerts() if alert.status is AlertStatus.FIRING]
    assert [alert.starts_at > old for alert in firing] == [True]
    assert await stage.violations() == []


async def test_a_held_episode_is_dropped_when_a_newer_one_has_come_and_gone(stage):
    await stage.fire("Disk")
    await stage.clear("Disk")
    await stage.fire("Disk")
    stage.clock.advance(seconds=10)
    await stage.refire("Disk")
    await stage.clear("Disk")

    await stage.wait(2)

    assert statuses(await stage.incidents()) == ["RESOLVED"]


async def test_a_resolve_that_clears_a_hold_makes_its_own_late_firing_stale(stage):
    await stage.fire("Disk")
    await stage.clear("Disk")
    await stage.fire("Disk")
    later = stage.clock() + 5 * SECOND
    stage.clock.advance(seconds=10)

    cleared = await stage.clear("Disk", starts_at=later)
    late = await stage.fire("Disk", starts_at=later)
    await stage.wait(2)

    assert (cleared, late) == (["repeated"], ["stale"])
    assert statuses(await stage.incidents()) == ["RESOLVED"]


async def test_the_end_of_a_superseded_episode_is_corrected_when_it_is_told(stage):
    began = stage.clock()
    await stage.fire("Disk")
    stage.clock.advance(minutes=2)
    await stage.refire("Disk")

    await stage.clear("Disk", starts_at=began, ends_at=began + MINUTE)

    older, newer = await stage.alerts()
    assert (older.ends_at, newer.status) == (began + MINUTE, AlertStatus.FIRING)


# --- manual resolve -------------------------------------------------------------------------


async def test_resends_after_a_manual_resolve_are_quiet_for_five_minutes(stage):
    await stage.fire("Disk")
    await stage.do("resolve", await stage.incident(), by=stage.first)
    await stage.wait(5)

    outcomes = await stage.fire("Disk")

    assert outcomes == ["repeated"]
    assert statuses(await stage.incidents()) == ["RESOLVED"]


async def test_then_a_still_firing_episode_opens_a_linked_incident(stage):
    await stage.fire("Disk")
    await stage.do("resolve", await stage.incident(), by=stage.first)
    await stage.wait(6)

    outcomes = await stage.fire("Disk")

    old, new = await stage.incidents()
    assert outcomes == ["opened"]
    assert new.previous_incident_id == old.id
    assert (old.firing_count, new.firing_count, new.alert_count) == (0, 1, 1)


async def test_that_incident_resolves_when_the_alert_does(stage):
    await stage.fire("Disk")
    await stage.do("resolve", await stage.incident(), by=stage.first)
    await stage.wait(6)
    await stage.fire("Disk")

    await stage.clear("Disk")

    assert statuses(await stage.incidents()) == ["RESOLVED", "RESOLVED"]


async def test_until_clear_waits_for_the_end_of_the_alert(stage):
    await stage.fire("Disk")
    await stage.do("resolve", await stage.incident(), by=stage.first, until_clear=True)
    await stage.wait(600)

    quiet = await stage.fire("Disk")
    await stage.clear("Disk")
    loud = await stage.refire("Disk")

    assert (quiet, loud) == (["repeated"], ["opened"])


# --- resolving ------------------------------------------------------------------------------


async def test_the_last_resolve_resolves_the_incident_and_cancels_its_timer(stage):
    await stage.fire("Disk")
    row = await stage.pending(await stage.incident())

    outcomes = await stage.clear("Disk")

    incident = await stage.incident()
    assert outcomes == ["resolved"]
    assert (incident.status.value, incident.resolved_by) == ("RESOLVED", "alerts")
    assert not await stage.is_waiting(incident)
    assert row.arq_job_id in stage.transactions.queue.removed


async def test_64_an_incident_stays_open_while_one_of_its_alerts_fires(grouped):
    await grouped.fire("Disk", "Memory")

    await grouped.clear("Disk")

    incident = await grouped.incident()
    assert (incident.status.value, incident.firing_count) == ("OPEN", 1)
    assert (await grouped.kinds(incident))[-1] == "alerts_resolved"


async def test_a_service_may_leave_resolving_to_people(transactions, clock):
    stage = await Stage(transactions, clock).set_up(service={"auto_resolve": False})
    await stage.fire("Disk")

    await stage.clear("Disk")

    incident = await stage.incident()
    assert (incident.status.value, incident.firing_count) == ("OPEN", 0)


async def test_a_resolve_follows_the_episodes_incident_not_todays_routing(stage):
    await stage.fire("Disk")
    async with stage.transactions.open() as tx:
        stage.service = await factories.make_service(tx, stage.team)

    await stage.clear("Disk")

    assert statuses(await stage.incidents()) == ["RESOLVED"]


async def test_62_a_resolve_of_something_unknown_is_stored_and_opens_nothing(stage):
    outcomes = await stage.clear("Disk")

    assert outcomes == ["ignored"]
    assert await stage.incidents() == []
    assert len(await stage.alerts()) == 1


# --- episodes -------------------------------------------------------------------------------


async def test_a_newer_start_supersedes_and_stays_with_the_incident(stage):
    await stage.fire("Disk")
    stage.clock.advance(minutes=1)

    outcomes = await stage.refire("Disk")

    old, new = await stage.alerts()
    incident = await stage.incident()
    assert outcomes == ["joined"]
    assert (old.status, new.status) == (AlertStatus.RESOLVED, AlertStatus.FIRING)
    assert (incident.alert_count, incident.firing_count) == (2, 1)
    assert await stage.told(incident) == ["First"]


async def test_an_older_start_is_stored_as_ended_with_the_same_incident(stage):
    await stage.refire("Disk")
    older = stage.clock() - 10 * MINUTE

    outcomes = await stage.fire("Disk", starts_at=older)

    incident = await stage.incident()
    assert outcomes == ["superseded"]
    assert (incident.alert_count, incident.firing_count) == (2, 1)


async def test_an_alert_without_a_start_joins_what_fires(stage):
    await stage.fire("Disk")
    alert = msgspec.structs.replace(stage.alert("Disk"), starts_at=None)

    (outcome,) = await stage.send(alert)

    assert outcome.outcome == "repeated"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("resolved firing", ["ignored", "opened"]),
        ("firing resolved firing", ["opened", "resolved", "reopened"]),
        ("resolved resolved", ["ignored", "repeated"]),
        ("firing resolved resolved", ["opened", "resolved", "repeated"]),
        ("resolved firing resolved firing", ["ignored", "opened", "resolved", "reopened"]),
    ],
)
async def test_without_dates_the_order_in_a_payload_counts(stage, words, expected):
    undated = [
        msgspec.structs.replace(
            stage.alert("Disk", firing=word == "firing"), starts_at=None, ends_at=None
        )
        for word in words.split()
    ]

    outcomes = await stage.send(*undated)

    assert [outcome.outcome for outcome in outcomes] == expected


async def test_an_end_without_a_start_may_be_told_again_and_again(stage):
    end = msgspec.structs.replace(
        stage.alert("Disk", firing=False, ends_at=stage.clock() - MINUTE), starts_at=None
    )

    outcomes = [await stage.send(end) for _ in range(3)]

    assert [outcome.outcome for (outcome,) in outcomes] == ["ignored", "repeated", "repeated"]
    assert len(await stage.alerts()) == 1


async def test_the_same_alert_twice_in_one_payload_is_one_incident(stage):
    outcomes = await stage.send(stage.alert("Disk"), stage.alert("Disk"))

    assert [outcome.outcome for outcome in outcomes] == ["opened", "repeated"]
    assert len(await stage.incidents()) == 1


async def test_fire_and_resolve_in_one_payload_end_resolved(stage):
    outcomes = await stage.send(stage.alert("Disk"), stage.alert("Disk", firing=False))

    assert [outcome.outcome for outcome in outcomes] == ["opened", "resolved"]
    assert statuses(await stage.incidents()) == ["RESOLVED"]


async def test_many_payloads_go_in_together(stage):
    payloads = [
        Payload(stage.integration.id, stage.service.id, (stage.alert(name),))
        for name in ("Disk", "Memory", "Disk")
    ]

    answers = await stage.transactions.run(lambda tx: ingest(tx, payloads))

    assert [[outcome.outcome for outcome in answer] for answer in answers] == [
        ["opened"],
        ["opened"],
        ["repeated"],
    ]


# --- quiet ----------------------------------------------------------------------------------


async def test_below_page_from_an_incident_is_quiet(stage):
    await stage.fire("Watchdog", severity="none")
    await stage.wait(60)

    incident = await stage.incident()
    assert incident.is_quiet
    assert await stage.told(incident) == []
    assert await stage.violations() == []


async def test_a_rising_priority_ends_the_quiet_and_starts_the_climb(grouped):
    await grouped.fire("Watchdog", severity="none")

    await grouped.fire("Disk", severity="critical")

    incident = await grouped.incident()
    assert not incident.is_quiet
    assert await grouped.told(incident) == ["First"]
    assert "priority_raised" in await grouped.kinds(incident)


async def test_a_service_may_map_its_own_severity_words(transactions, clock):
    stage = await Stage(transactions, clock).set_up(service={"severity_map": {"red": "critical"}})

    await stage.fire("Disk", severity="RED")

    assert (await stage.incident()).priority.value == "critical"


async def test_the_timeline_names_the_integration_whose_alerts_they_were(stage):
    await stage.fire("Disk")
    await stage.clear("Disk")
    stage.clock.advance(minutes=1)
    await stage.refire("Disk", severity="critical")

    events = await stage.events(await stage.incident())
    sender = {
        "type": "integration",
        "id": str(stage.integration.id),
        "name": stage.integration.name,
    }
    by_alerts = [event.kind for event in events if event.actor == sender]
    assert by_alerts == ["opened", "resolved", "alerts_joined", "reopened"]


async def test_alerts_of_several_integrations_at_once_are_nobodys_in_particular(
    transactions, clock
):
    stage = await Stage(transactions, clock).set_up(
        service={"grouping": "labels", "grouping_labels": ["alertname"]}
    )
    async with transactions.open() as tx:
        other, _ = await factories.make_integration(tx, stage.service)
    payloads = [
        Payload(integration.id, stage.service.id, (stage.alert("Disk"),))
        for integration in (stage.integration, other)
    ]

    await transactions.run(lambda tx: ingest(tx, payloads))

    opened, _ = await stage.events(await stage.incident())
    assert (opened.actor["type"], opened.data["count"]) == ("alerts", 2)
