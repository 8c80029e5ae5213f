"""Editing a policy leaves running climbs alone, unless it is asked to restart them."""

from tests.stage import Stage


async def change(api, stage: Stage, *, apply_to_open: bool) -> int:
    """Leave the policy only its second level."""
    answer = await api.patch(
        f"/v1/escalation-policies/{stage.policy.id}",
        params={"apply_to_open": apply_to_open},
        json={"levels": [{"target_type": "user", "target_id": str(stage.second.id)}]},
    )
    assert answer.status_code == 200
    count: int = answer.json()["open_incidents_on_old_plan"]
    return count


async def test_an_edit_disturbs_no_running_climb(api, stage):
    await stage.fire("Disk")

    on_old_plan = await change(api, stage, apply_to_open=False)

    assert on_old_plan == 1
    assert await stage.told(await stage.incident()) == ["First"]


async def test_an_edit_can_restart_running_climbs(api, stage):
    await stage.fire("Disk")

    on_old_plan = await change(api, stage, apply_to_open=True)

    incident = await stage.incident()
    assert on_old_plan == 0
    assert await stage.told(incident) == ["First", "Second"]
    assert (await stage.kinds(incident))[-2:] == ["restarted", "paged"]
    assert await stage.violations() == []


async def test_what_is_acknowledged_or_snoozed_wakes_nobody(api, stage):
    await stage.fire("Disk", "Memory")
    disk, memory = await stage.incidents()
    await api.post(f"/v1/incidents/{disk.id}/acknowledge")
    until = stage.clock().replace(year=stage.clock().year + 1).isoformat()
    await api.post(f"/v1/incidents/{memory.id}/snooze", json={"until": until})

    on_old_plan = await change(api, stage, apply_to_open=True)

    assert on_old_plan == 2
    assert [await stage.told(each) for each in (disk, memory)] == [["First"], ["First"]]
