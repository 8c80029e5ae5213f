"""The alerts of an incident, over HTTP."""

from incident_service.core.ids import new_id


async def test_an_incident_lists_each_time_that_its_alert_fired(api, stage):
    await stage.fire("Disk")
    stage.clock.advance(minutes=1)
    await stage.clear("Disk")
    stage.clock.advance(minutes=1)
    await stage.fire("Disk", starts_at=stage.clock())
    incident = await stage.incident()

    page = (await api.get(f"/v1/incidents/{incident.id}/alerts")).json()

    assert [alert["status"] for alert in page["items"]] == ["resolved", "firing"]
    assert page["items"][0]["labels"]["alertname"] == "Disk"
    assert page["next_cursor"] is None


async def test_alerts_come_in_pages(api, stage):
    await stage.fire("Disk")
    await stage.clear("Disk")
    stage.clock.advance(minutes=1)
    await stage.fire("Disk", starts_at=stage.clock())
    path = f"/v1/incidents/{(await stage.incident()).id}/alerts"

    first = (await api.get(path, params={"limit": 1})).json()
    second = (await api.get(path, params={"limit": 1, "cursor": first["next_cursor"]})).json()

    statuses = [alert["status"] for page in (first, second) for alert in page["items"]]
    assert statuses == ["resolved", "firing"]


async def test_the_alerts_of_an_unknown_incident_are_not_found(api):
    answer = await api.get(f"/v1/incidents/{new_id()}/alerts")

    assert answer.status_code == 404
