"""What people change while an incident climbs; numbers are those of the field's corner cases."""

from typing import Any

import httpx
import pytest
from sqlalchemy import func, insert, select
from tests import factories
from tests.credentials import limited_to
from tests.stage import Stage

from incident_service.core.ids import new_id
from incident_service.notifications.models import Notification
from incident_service.teams.models import Channel, ContactMethod, Role, TeamMembership, User


async def patch_policy(api: httpx.AsyncClient, stage: Stage, **changes: Any) -> None:
    url = f"/v1/escalation-policies/{stage.policy.id}"
    answer = await api.patch(url, json=changes)
    assert answer.status_code == 200, answer.text


async def reassign(api: httpx.AsyncClient, stage: Stage, policy_id: Any) -> httpx.Response:
    incident = await stage.incident()
    return await api.post(
        f"/v1/incidents/{incident.id}/reassign", json={"escalation_policy_id": str(policy_id)}
    )


async def test_35_a_policy_that_is_deactivated_finishes_the_climbs_it_has_begun(api, stage):
    await stage.fire("Disk")
    await patch_policy(api, stage, is_active=False)

    await stage.wait(minutes=5)
    await stage.fire("Net")

    disk, net = await stage.incidents()
    assert await stage.told(disk) == ["First", "Second"]
    assert "nobody_to_page" in await stage.kinds(net)
    assert await stage.told(net) == ["Manager"]


async def test_36_an_incident_keeps_its_policy_when_the_default_changes(api, transactions, clock):
    stage = await Stage(transactions, clock).set_up(
        policy={"is_default": True}, service={"escalation_policy_id": None}
    )
    await stage.fire("Disk")
    async with transactions.open() as tx:
        other = await factories.make_policy(tx, stage.team, [stage.manager])
    await api.patch(f"/v1/escalation-policies/{other.id}", json={"is_default": True})

    await stage.wait(minutes=5)
    await stage.fire("Net")

    disk, net = await stage.incidents()
    assert await stage.told(disk) == ["First", "Second"]
    assert await stage.told(net) == ["Manager"]
    assert net.escalation_policy_id == other.id


async def test_36_without_any_policy_an_incident_opens_and_says_so(transactions, clock):
    stage = await Stage(transactions, clock).set_up(service={"escalation_policy_id": None})

    await stage.fire("Disk")

    incident = await stage.incident()
    assert "nobody_to_page" in await stage.kinds(incident)
    assert await stage.told(incident) == ["Manager"]
    assert await stage.violations() == []


async def test_38_another_policy_begins_at_its_level_1_and_old_pages_are_taken_back(
    api, transactions, stage
):
    await stage.fire("Disk")
    async with transactions.open() as tx:
        other = await factories.make_policy(tx, stage.team, [stage.manager, stage.first])

    answer = await reassign(api, stage, other.id)

    incident = await stage.incident()
    rows = await stage.notifications(incident)
    assert answer.json()["changed"] is True
    assert await stage.told(incident) == ["First", "Manager"]
    assert [row.status for row in rows] == ["cancelled", "pending"]
    assert (incident.escalation_epoch, incident.current_level) == (2, 1)
    assert await stage.violations() == []


async def test_38_another_policy_takes_an_acknowledged_incident_up_again(api, transactions, stage):
    await stage.fire("Disk")
    await stage.do("acknowledge", await stage.incident(), by=stage.first)
    async with transactions.open() as tx:
        other = await factories.make_policy(tx, stage.team, [stage.second])

    await reassign(api, stage, other.id)

    incident = await stage.incident()
    assert (incident.status, incident.assigned_user_id) == ("OPEN", None)
    assert (await stage.kinds(incident))[-2:] == ["reassigned", "paged"]


async def test_38_another_teams_policy_makes_it_that_teams_incident(api, transactions, stage):
    await stage.fire("Disk")
    async with transactions.open() as tx:
        team = await factories.make_team(tx, name="Databases")
        person = await factories.make_user(tx, team=team, name="Database person")
        other = await factories.make_policy(tx, team, [person])

    await reassign(api, stage, other.id)

    incident = await stage.incident()
    assert incident.team_id == team.id
    assert (await stage.notifications(incident))[-1].user_id == person.id


async def test_38_handing_it_to_the_policy_that_has_it_changes_nothing(api, stage):
    await stage.fire("Disk")

    answer = await reassign(api, stage, stage.policy.id)

    assert answer.json()["changed"] is False
    assert await stage.told(await stage.incident()) == ["First"]


async def test_38_an_incident_is_not_handed_to_a_policy_that_pages_nobody(api, transactions, stage):
    await stage.fire("Disk")
    async with transactions.open() as tx:
        off = await factories.make_policy(tx, stage.team, [stage.first], is_active=False)

    answer = await reassign(api, stage, off.id)

    assert (answer.status_code, answer.json()["code"]) == (422, "policy_inactive")


async def test_38_nor_to_a_policy_that_the_caller_does_not_see(anonymous, transactions, stage):
    await stage.fire("Disk")
    async with transactions.open() as tx:
        theirs = await factories.make_policy(tx, await factories.make_team(tx))
    headers = await limited_to(transactions, stage.team)
    incident = await stage.incident()

    answer = await anonymous.post(
        f"/v1/incidents/{incident.id}/reassign",
        json={"escalation_policy_id": str(theirs.id)},
        headers=headers,
    )

    assert (answer.status_code, answer.json()["code"]) == (404, "escalation_policy_not_found")


async def test_41_whoever_changes_how_they_are_reached_is_reached_the_new_way(
    api, transactions, stage
):
    await stage.fire("Disk")
    url = f"/v1/users/{stage.second.id}/contact-methods"
    (old,) = (await api.get(url)).json()["items"]
    made = await api.post(url, json={"kind": "webhook", "address": "https://pager.example/new"})
    await api.delete(f"{url}/{old['id']}")

    await stage.wait(minutes=5)

    rows = await stage.notifications(await stage.incident())
    assert str(rows[-1].contact_method_id) == made.json()["id"]


async def test_42_the_entire_team_is_whoever_is_in_it_when_the_level_runs(api, transactions, clock):
    stage = await Stage(transactions, clock).set_up(policy={"repeat_count": 2})
    whole_team = {"target_type": "entire_team", "timeout_minutes": 5}
    await patch_policy(api, stage, levels=[whole_team])
    await stage.fire("Disk")
    members = f"/v1/teams/{stage.team.id}/members"
    await api.delete(f"{members}/{stage.first.id}")
    async with transactions.open() as tx:
        late = await factories.make_user(tx, team=stage.team, name="Late")

    await stage.wait(minutes=5)

    rows = await stage.notifications(await stage.incident())
    told = [row.user_id for row in rows]
    assert set(told[:3]) == {stage.first.id, stage.second.id, stage.manager.id}
    assert set(told[3:]) == {stage.second.id, stage.manager.id, late.id}


async def test_43_a_team_without_members_counts_as_nobody(api, transactions, stage):
    await patch_policy(
        api,
        stage,
        levels=[
            {"target_type": "entire_team", "timeout_minutes": 5},
            {"target_type": "user", "target_id": str(stage.second.id), "timeout_minutes": 5},
        ],
    )
    for person in (stage.first, stage.second, stage.manager):
        await api.delete(f"/v1/teams/{stage.team.id}/members/{person.id}")

    await stage.fire("Disk")

    incident = await stage.incident()
    assert await stage.told(incident) == ["Second"]
    assert "levels_skipped" in await stage.kinds(incident)


async def test_43_a_team_of_five_hundred_is_paged_as_one_event(api, transactions, stage):
    people = [new_id() for _ in range(500)]
    async with transactions.open() as tx:
        common = {"time_zone": "UTC", "is_active": True}
        times = {"created_at": tx.now, "updated_at": tx.now}
        await tx.session.execute(
            insert(User),
            [
                {"id": person, "name": "Member", "email": f"{person}@example.org"} | common | times
                for person in people
            ],
        )
        await tx.session.execute(
            insert(TeamMembership),
            [
                {
                    "team_id": stage.team.id,
                    "user_id": person,
                    "role": Role.RESPONDER,
                    "created_at": tx.now,
                }
                for person in people
            ],
        )
        await tx.session.execute(
            insert(ContactMethod),
            [
                {
                    "id": new_id(),
                    "user_id": person,
                    "kind": Channel.WEBHOOK,
                    "address": f"https://pager.example/{person}",
                    "bundle": True,
                    "is_enabled": True,
                }
                | times
                for person in people
            ],
        )
    await patch_policy(api, stage, levels=[{"target_type": "entire_team", "timeout_minutes": 5}])

    await stage.fire("Disk")

    incident = await stage.incident()
    async with transactions.open() as tx:
        count = await tx.session.scalar(
            select(func.count()).where(Notification.incident_id == incident.id)
        )
    assert count == 503
    assert await stage.kinds(incident) == ["opened", "paged"]


@pytest.mark.parametrize("repeat_count", [1, 9])
async def test_48_a_policy_all_of_whose_levels_page_nobody_does_not_spin(
    api, transactions, clock, repeat_count
):
    stage = await Stage(transactions, clock).set_up(policy={"repeat_count": repeat_count})
    for person in (stage.first, stage.second):
        url = f"/v1/users/{person.id}"
        await api.patch(url, json={"is_active": False}, params={"force": "true"})

    await stage.fire("Disk")
    await stage.wait(minutes=10)

    incident = await stage.incident()
    kinds = await stage.kinds(incident)
    assert await stage.told(incident) == ["Manager"]
    assert kinds.count("nobody_to_page") == 1
    assert (await stage.pending(incident)).kind == "recheck"
