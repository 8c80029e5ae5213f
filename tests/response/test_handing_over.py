"""Handing an incident to a person: they alone are asked, and the climb waits behind them."""

from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text
from tests import factories
from tests.stage import MINUTE, Stage

from incident_service.core.ids import new_id
from incident_service.escalation import unreached
from incident_service.teams.models import User


async def reassign(api: httpx.AsyncClient, stage: Stage, person_id: UUID) -> httpx.Response:
    incident = await stage.incident()
    return await api.post(
        f"/v1/incidents/{incident.id}/reassign", json={"assigned_user_id": str(person_id)}
    )


async def test_only_the_person_is_paged_and_at_once(api, stage):
    await stage.fire("Disk")

    answer = await reassign(api, stage, stage.manager.id)

    incident = await stage.incident()
    rows = await stage.notifications(incident)
    assert answer.json()["changed"] is True
    assert await stage.told(incident) == ["First", "Manager"]
    assert [row.status for row in rows] == ["cancelled", "pending"]
    assert (incident.status, incident.assigned_user_id) == ("OPEN", stage.manager.id)
    assert (await stage.kinds(incident))[-2:] == ["reassigned", "assignee_paged"]
    assert await stage.violations() == []


async def test_an_acknowledged_incident_waits_for_the_new_persons_own_acknowledge(api, stage):
    await stage.fire("Disk")
    await stage.do("acknowledge", await stage.incident(), by=stage.first)

    await reassign(api, stage, stage.manager.id)
    before = await stage.incident()
    await stage.do("acknowledge", before, by=stage.manager)
    await stage.wait(60)

    after = await stage.incident()
    assert (before.status, before.acknowledged_at) == ("OPEN", None)
    assert (after.status, after.assigned_user_id) == ("ACKNOWLEDGED", stage.manager.id)
    assert await stage.told(after) == ["First", "Manager"]


async def test_whoever_had_it_hears_that_somebody_else_gave_it_away(api, stage):
    await stage.fire("Disk")
    incident = await stage.incident()
    await stage.do("acknowledge", incident, by=stage.first)

    body = {"assigned_user_id": str(stage.manager.id), "user_id": str(stage.second.id)}
    await api.post(f"/v1/incidents/{incident.id}/reassign", json=body)

    *_, page, news = await stage.notifications(incident)
    assert (page.user_id, page.kind) == (stage.manager.id, "page")
    assert (news.user_id, news.kind) == (stage.first.id, "update")
    assert news.reason == "handed to Manager by Second"


async def test_whoever_gives_it_away_hears_nothing_of_it(api, stage):
    await stage.fire("Disk")
    incident = await stage.incident()
    await stage.do("acknowledge", incident, by=stage.first)

    body = {"assigned_user_id": str(stage.manager.id), "user_id": str(stage.first.id)}
    await api.post(f"/v1/incidents/{incident.id}/reassign", json=body)

    rows = await stage.notifications(incident)
    assert [row.kind.value for row in rows] == ["page", "page"]


async def test_when_the_person_does_not_answer_the_present_level_is_paged_again(api, stage):
    await stage.fire("Disk")
    await stage.wait(5)
    await reassign(api, stage, stage.manager.id)

    due = (await stage.pending(await stage.incident())).scheduled_for - stage.clock()
    await stage.wait(5)

    incident = await stage.incident()
    assert due == 5 * MINUTE
    assert await stage.told(incident) == ["First", "Second", "Manager", "Second"]
    assert (incident.current_level, incident.assigned_user_id) == (2, None)
    assert await stage.violations() == []


async def test_a_person_whom_no_channel_reaches_is_not_waited_for(api, stage):
    await stage.fire("Disk")
    await reassign(api, stage, stage.manager.id)
    incident = await stage.incident()
    async with stage.transactions.open() as tx:
        await tx.session.execute(
            text("UPDATE notifications SET status = 'failed' WHERE status = 'pending'")
        )
        await unreached.go_on(tx, [incident.id])

    await stage.reconcile()

    assert await stage.told(await stage.incident()) == ["First", "Manager", "First"]


async def test_a_quiet_incident_that_is_handed_to_a_person_is_quiet_no_longer(api, stage):
    await stage.fire("Disk", severity="info")

    await reassign(api, stage, stage.second.id)
    await stage.wait(5)

    incident = await stage.incident()
    assert await stage.told(incident) == ["Second", "First"]
    assert not incident.is_quiet
    assert await stage.violations() == []


async def test_without_any_policy_managers_hear_when_the_person_does_not_answer(
    api, transactions, clock
):
    stage = await Stage(transactions, clock).set_up(service={"escalation_policy_id": None})
    await stage.fire("Disk")
    await reassign(api, stage, stage.first.id)

    await stage.wait(5)

    assert await stage.told(await stage.incident()) == ["Manager", "First", "Manager"]
    assert await stage.violations() == []


@pytest.mark.parametrize("acknowledged", [False, True])
async def test_whoever_has_it_already_keeps_it(api, stage, acknowledged):
    await stage.fire("Disk")
    if acknowledged:
        await stage.do("acknowledge", await stage.incident(), by=stage.second)
    else:
        await reassign(api, stage, stage.second.id)
    before = await stage.incident()

    answer = await reassign(api, stage, stage.second.id)

    after = await stage.incident()
    assert answer.json()["changed"] is False
    assert (after.status, after.version) == (before.status, before.version)


async def test_handing_it_back_to_its_policy_asks_level_one(api, stage):
    await stage.fire("Disk")
    await reassign(api, stage, stage.manager.id)
    incident = await stage.incident()

    answer = await api.post(
        f"/v1/incidents/{incident.id}/reassign",
        json={"escalation_policy_id": str(stage.policy.id)},
    )

    incident = await stage.incident()
    assert answer.json()["changed"] is True
    assert incident.assigned_user_id is None
    assert await stage.told(incident) == ["First", "Manager", "First"]


async def test_nobody_who_cannot_be_paged_is_asked_alone(api, stage):
    await stage.fire("Disk")
    async with stage.transactions.open() as tx:
        silent = await factories.make_user(tx, team=stage.team, address=None)
        (await tx.session.get_one(User, stage.manager.id)).is_active = False

    answers = [
        await reassign(api, stage, person) for person in (silent.id, stage.manager.id, new_id())
    ]

    assert [answer.status_code for answer in answers] == [422, 422, 422]
    assert [answer.json()["code"] for answer in answers] == [
        "person_unreachable",
        "user_unknown",
        "user_unknown",
    ]
    assert {answer.json()["errors"][0]["pointer"] for answer in answers} == {"/assigned_user_id"}
    assert await stage.told(await stage.incident()) == ["First"]


@pytest.mark.parametrize("both", [False, True])
async def test_it_is_handed_to_one_a_person_or_a_policy(api, stage, both):
    await stage.fire("Disk")
    body: dict[str, Any] = {"reason": "holiday"}
    if both:
        body |= {"assigned_user_id": str(stage.first.id)}
        body |= {"escalation_policy_id": str(stage.policy.id)}

    answer = await api.post(f"/v1/incidents/{(await stage.incident()).id}/reassign", json=body)

    assert answer.status_code == 422
