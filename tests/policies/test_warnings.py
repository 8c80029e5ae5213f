"""What a policy says is wrong with it, before somebody finds out at night."""

import httpx
from sqlalchemy import update
from tests.policies.arrangements import give_levels, of_schedule
from tests.schedules.arrangements import layer, make, schedule
from tests.stage import Stage

from incident_service.teams.models import ContactMethod


async def warned(api: httpx.AsyncClient, stage: Stage) -> list[tuple[str, int | None]]:
    shown = (await api.get(f"/v1/escalation-policies/{stage.policy.id}")).json()
    return [(each["code"], each["level_number"]) for each in shown["warnings"]]


async def test_a_policy_that_is_well_has_no_warnings(api, stage):
    assert await warned(api, stage) == []


async def test_a_policy_that_is_not_active_says_so(api, stage):
    await api.patch(f"/v1/escalation-policies/{stage.policy.id}", json={"is_active": False})

    assert await warned(api, stage) == [("inactive", None)]


async def test_people_who_cannot_be_reached_are_named(api, stage):
    methods = await api.get(f"/v1/users/{stage.first.id}/contact-methods")
    for method in methods.json()["items"]:
        url = f"/v1/users/{stage.first.id}/contact-methods/{method['id']}"
        await api.patch(url, json={"is_enabled": False})

    assert await warned(api, stage) == [("level_pages_nobody", 1), ("person_unreachable", 1)]


async def test_people_whose_addresses_are_all_unverified_are_named_with_the_reason(
    api, stage, transactions
):
    async with transactions.open() as tx:
        await tx.session.execute(update(ContactMethod).values(unverified_since=tx.now))

    shown = (await api.get(f"/v1/escalation-policies/{stage.policy.id}")).json()
    assert [
        each["message"] for each in shown["warnings"] if each["code"] == "person_unreachable"
    ] == [
        f"{name} cannot be paged: not active, or no contact method is enabled and verified."
        for name in ("First", "Second")
    ]


async def test_gaps_of_the_next_two_weeks_are_told(api, stage):
    nights = layer(
        stage.first,
        starts_at="2026-11-01T00:00:00Z",
        restrictions=[{"weekdays": ["monday"], "from_time": "08:00", "to_time": "20:00"}],
    )
    made = await make(api, schedule(stage, nights))
    await give_levels(api, stage, of_schedule(made))

    assert await warned(api, stage) == [("schedule_gap", 1)]
    shown = (await api.get(f"/v1/escalation-policies/{stage.policy.id}")).json()
    assert shown["warnings"][0]["message"] == (
        "Nobody is on call by Primary from 2026-11-02 19:00 to 2026-11-09 07:00 UTC, "
        "nor at 1 more times in the next 14 days."
    )
