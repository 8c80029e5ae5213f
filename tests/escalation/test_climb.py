"""The climb on real rows: who is told when, until somebody answers."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import select
from tests import factories
from tests.stage import MINUTE, Stage

from incident_service.catalog.models import Service
from incident_service.core.db import Tx
from incident_service.core.queue import Later
from incident_service.escalation import timers
from incident_service.escalation.jobs import TimerJobs
from incident_service.escalation.models import TimerKind
from incident_service.policies.models import EscalationLevel
from incident_service.teams.models import ContactMethod, User


async def test_opening_pages_level_one_in_the_same_transaction(stage):
    await stage.fire("Disk")

    incident = await stage.incident()
    assert await stage.told(incident) == ["First"]
    assert [(row.scheduled_level, row.completed) for row in await stage.jobs(incident)] == [
        (1, True),
        (2, False),
    ]
    assert await stage.kinds(incident) == ["opened", "paged"]


async def test_level_two_is_due_when_level_ones_time_is_over(stage):
    await stage.fire("Disk")

    row = await stage.pending(await stage.incident())

    assert (row.kind, row.scheduled_level) == (TimerKind.STEP, 2)
    assert row.scheduled_for == stage.clock() + 5 * MINUTE


async def test_nobody_answers_and_the_page_climbs(stage):
    await stage.fire("Disk")

    await stage.wait(5)

    assert await stage.told(await stage.incident()) == ["First", "Second"]


async def test_73_the_levels_run_as_often_as_the_policy_says(transactions, clock):
    stage = await Stage(transactions, clock).set_up(policy={"repeat_count": 2})
    await stage.fire("Disk")

    await stage.wait(15)

    incident = await stage.incident()
    assert await stage.told(incident) == ["First", "Second", "First", "Second"]
    assert (incident.current_repeat, incident.current_level) == (2, 2)


async def test_72_after_the_last_level_the_managers_are_told(stage):
    await stage.fire("Disk")

    await stage.wait(10)

    incident = await stage.incident()
    assert await stage.told(incident) == ["First", "Second", "Manager"]
    assert incident.exhausted_at is not None
    assert (await stage.kinds(incident))[-1] == "exhausted"


async def test_an_urgent_exhausted_incident_is_told_again_until_somebody_answers(stage):
    await stage.fire("Disk", severity="critical")
    await stage.wait(10)

    await stage.wait(60)

    told = await stage.told(await stage.incident())
    assert told[3:] == ["Manager", "Second", "Manager", "Second"]


async def test_an_exhausted_incident_of_medium_priority_is_not_told_again(stage):
    await stage.fire("Disk", severity="warning")
    await stage.wait(10)

    await stage.wait(120)

    incident = await stage.incident()
    assert await stage.told(incident) == ["First", "Second", "Manager"]
    assert (await stage.pending(incident)).kind is TimerKind.REMINDER


async def test_a_level_with_nobody_to_page_is_skipped_at_once_with_its_reason(stage):
    async with stage.transactions.open() as tx:
        method = await tx.session.get_one(
            ContactMethod,
            (await contact_methods_of(stage, stage.first))[0],
        )
        method.is_enabled = False

    await stage.fire("Disk")

    incident = await stage.incident()
    assert await stage.told(incident) == ["Second"]
    assert await stage.kinds(incident) == ["opened", "levels_skipped", "paged"]
    assert [row.outcome for row in await stage.jobs(incident)] == ["skipped", "paged", None]


async def test_people_of_a_level_who_cannot_be_paged_are_named_in_the_timeline(stage):
    async with stage.transactions.open() as tx:
        inactive = await factories.make_user(tx, team=stage.team, name="Inactive", is_active=False)
        silent = await factories.make_user(tx, team=stage.team, name="Silent", address=None)
        stage.policy = await factories.make_policy(tx, stage.team, [silent, None])
        service = await tx.session.get_one(Service, stage.service.id)
        service.escalation_policy_id = stage.policy.id

    await stage.fire("Disk")

    _, skipped, paged = await stage.events(await stage.incident())
    without = {"id": str(silent.id), "name": "Silent", "why": "has no address"}
    assert skipped.data["unreachable"] == [without]
    assert paged.data["unreachable"] == [
        {"id": str(inactive.id), "name": "Inactive", "why": "is inactive"},
        without,
    ]


async def test_a_level_that_reaches_everybody_names_nobody(stage):
    await stage.fire("Disk")

    [_, paged] = await stage.events(await stage.incident())
    assert "unreachable" not in paged.data


async def contact_methods_of(stage: Stage, user: User) -> list[object]:
    return await stage.rows(select(ContactMethod.id).where(ContactMethod.user_id == user.id))


async def test_without_a_policy_the_managers_are_told_and_it_is_looked_at_again(
    transactions, clock
):
    stage = await Stage(transactions, clock).set_up(service={"escalation_policy_id": None})

    await stage.fire("Disk")

    incident = await stage.incident()
    assert await stage.told(incident) == ["Manager"]
    assert (await stage.pending(incident)).kind is TimerKind.RECHECK
    assert await stage.kinds(incident) == ["opened", "nobody_to_page"]


async def test_a_service_without_a_policy_takes_its_teams_default(transactions, clock):
    stage = await Stage(transactions, clock).set_up(
        policy={"is_default": True}, service={"escalation_policy_id": None}
    )

    await stage.fire("Disk")

    assert await stage.told(await stage.incident()) == ["First"]


async def test_when_nobody_at_all_can_be_told_the_fallback_contact_is(transactions, clock):
    stage = await Stage(transactions, clock).set_up()
    async with transactions.open() as tx:
        for person in (stage.first, stage.second, stage.manager):
            (await tx.session.get_one(User, person.id)).is_active = False
        await factories.make_contact_method(tx, None)

    await stage.fire("Disk")

    assert await stage.told(await stage.incident()) == ["fallback"]


async def test_a_climb_begins_as_soon_as_somebody_can_be_paged(transactions, clock):
    stage = await Stage(transactions, clock).set_up(service={"escalation_policy_id": None})
    await stage.fire("Disk")
    async with transactions.open() as tx:
        await factories.make_policy(tx, stage.team, [stage.second], is_default=True)

    await stage.wait(5)

    incident = await stage.incident()
    assert await stage.told(incident) == ["Manager", "Second"]
    assert incident.escalation_epoch == 2


async def test_the_entire_team_is_managers_and_responders(transactions, clock):
    stage = await Stage(transactions, clock).set_up()
    async with transactions.open() as tx:
        policy = await factories.make_policy(tx, stage.team, [None])
        service = await factories.make_service(tx, stage.team, escalation_policy_id=policy.id)
    stage.service = service

    await stage.fire("Disk")

    assert sorted(await stage.told(await stage.incident())) == ["First", "Manager", "Second"]


async def test_a_person_meant_twice_is_paged_once(stage):
    async with stage.transactions.open() as tx:
        level = (await levels_of(tx, stage))[0]
        level.additional_targets = [
            {"target_type": "user", "target_id": str(stage.first.id)},
            {"target_type": "entire_team", "target_id": None},
        ]

    await stage.fire("Disk")

    assert sorted(await stage.told(await stage.incident())) == ["First", "Manager", "Second"]


async def levels_of(tx: Tx, stage: Stage) -> Sequence[EscalationLevel]:
    rows = await tx.session.scalars(
        select(EscalationLevel)
        .where(EscalationLevel.escalation_policy_id == stage.policy.id)
        .order_by(EscalationLevel.level_number)
    )
    return rows.all()


async def test_editing_the_policy_does_not_disturb_a_running_climb(stage):
    await stage.fire("Disk")
    async with stage.transactions.open() as tx:
        for level in await levels_of(tx, stage):
            await tx.session.delete(level)

    await stage.wait(5)

    assert await stage.told(await stage.incident()) == ["First", "Second"]


async def test_after_an_outage_each_incident_takes_one_step_not_a_burst(stage):
    await stage.fire("Disk")

    stage.clock.advance(hours=2)
    await stage.reconcile()
    await stage.reconcile()

    incident = await stage.incident()
    assert await stage.told(incident) == ["First", "Second"]
    assert (await stage.pending(incident)).scheduled_for > stage.clock()


async def test_a_job_that_comes_before_its_time_is_sent_back(stage):
    await stage.fire("Disk")
    row = await stage.pending(await stage.incident())

    with pytest.raises(Later) as early:
        await TimerJobs(stage.transactions).run(str(row.id))

    assert early.value.at == row.scheduled_for


async def test_a_job_works_off_what_else_is_due_and_takes_those_jobs_out(stage, queue):
    await stage.fire("Disk", "Memory")
    disk, memory = [await stage.pending(incident) for incident in await stage.incidents()]
    stage.clock.now = max(disk.scheduled_for, memory.scheduled_for)

    await TimerJobs(stage.transactions).run(str(disk.id))

    assert [await stage.told(each) for each in await stage.incidents()] == [["First", "Second"]] * 2
    assert str(memory.id) in queue.removed


async def test_running_a_timer_twice_pages_once(stage):
    await stage.fire("Disk")
    row = await stage.pending(await stage.incident())
    stage.clock.now = row.scheduled_for

    ran = [await stage.transactions.run(lambda tx: timers.run(tx, [row.id])) for _ in range(2)]

    assert [each.count for each in ran] == [1, 0]
    assert await stage.told(await stage.incident()) == ["First", "Second"]


async def test_a_stale_acknowledge_is_taken_back_when_the_policy_says_so(transactions, clock):
    stage = await Stage(transactions, clock).set_up(policy={"ack_timeout_minutes": 30})
    await stage.fire("Disk")
    await stage.do("acknowledge", await stage.incident(), by=stage.first)

    await stage.wait(30)

    incident = await stage.incident()
    assert incident.status.value == "OPEN"
    assert incident.assigned_user_id is None
    assert await stage.told(incident) == ["First", "First"]


async def test_fifty_incidents_climb_as_one_set(stage):
    await stage.fire(*(f"Disk{number}" for number in range(50)))

    await stage.wait(5)

    for incident in await stage.incidents():
        assert await stage.told(incident) == ["First", "Second"]
    assert await stage.violations() == []


async def test_what_nobody_is_reminded_of_is_looked_at_once_a_day(stage):
    await stage.fire("Disk", severity="warning")
    await stage.wait(10)

    reminder = await stage.pending(await stage.incident())

    assert reminder.kind is TimerKind.REMINDER
    assert reminder.scheduled_for == stage.clock() + timedelta(hours=24)


async def test_the_timeline_says_why_each_person_was_paged_and_what_meant_nobody(
    api, transactions, stage
):
    body = {"team_id": str(stage.team.id), "name": "Primary", "time_zone": "UTC"}
    weekly = {"name": "Weekly", "participants": [str(stage.second.id)]}
    primary = (await api.post("/v1/schedules", json=body | {"layers": [weekly]})).json()["id"]
    gap = body | {"name": "Secondary"}
    secondary = (await api.post("/v1/schedules", json=gap)).json()["id"]
    level = {
        "target_type": "user",
        "target_id": str(stage.first.id),
        "additional_targets": [
            {"target_type": "schedule", "target_id": primary},
            {"target_type": "schedule", "target_id": secondary},
            {"target_type": "entire_team"},
        ],
        "timeout_minutes": 5,
    }
    url = f"/v1/escalation-policies/{stage.policy.id}"
    answer = await api.patch(url, json={"levels": [level]})
    assert answer.status_code == 200, answer.text

    await stage.fire("Disk")

    paged = (await stage.events(await stage.incident()))[-1]
    because = {each["name"]: each["because"] for each in paged.data["users"]}
    team = {"type": "entire_team"}
    assert because == {
        "First": [{"type": "user"}, team],
        "Second": [{"type": "schedule", "id": primary, "name": "Primary"}, team],
        "Manager": [team],
    }
    assert paged.data["empty"] == [{"type": "schedule", "id": secondary, "name": "Secondary"}]
    assert paged.data["next_is_end"] is True


async def test_the_timeline_says_why_others_were_told_when_the_policy_ran_out(stage):
    await stage.fire("Disk")
    await stage.wait(40)

    exhausted, reminded = (await stage.events(await stage.incident()))[-2:]
    manager = {"id": str(stage.manager.id), "name": "Manager", "because": [{"type": "manager"}]}
    second = {"id": str(stage.second.id), "name": "Second", "because": [{"type": "user"}]}
    assert (exhausted.kind, exhausted.data["told"]) == ("exhausted", [manager])
    assert (reminded.kind, reminded.data["told"]) == ("reminded", [manager, second])
