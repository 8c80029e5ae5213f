"""The verbs over HTTP."""

import pytest
from tests import factories

from incident_service.core.ids import new_id


async def test_a_verb_answers_the_incident_and_whether_it_changed(api, stage):
    await stage.fire("Disk")
    incident = await stage.incident()

    first = await api.post(f"/v1/incidents/{incident.id}/acknowledge")
    second = await api.post(
        f"/v1/incidents/{incident.id}/acknowledge", json={"user_id": str(stage.first.id)}
    )

    assert (first.status_code, first.json()["changed"]) == (200, True)
    assert (second.status_code, second.json()["changed"]) == (200, False)
    assert second.json()["incident"]["status"] == "ACKNOWLEDGED"


async def test_a_refused_verb_is_a_conflict_with_its_own_code(api, stage):
    await stage.fire("Disk")
    await stage.clear("Disk")

    answer = await api.post(f"/v1/incidents/{(await stage.incident()).id}/acknowledge")

    assert (answer.status_code, answer.json()["code"]) == (409, "not_allowed_now")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_an_unknown_incident_is_not_found(api):
    answer = await api.post(f"/v1/incidents/{new_id()}/resolve")

    assert (answer.status_code, answer.json()["code"]) == (404, "incident_not_found")


async def test_escalate_has_to_say_what_it_saw(api, stage):
    await stage.fire("Disk")
    incident = await stage.incident()

    silent = await api.post(f"/v1/incidents/{incident.id}/escalate", json={})
    stale = await api.post(
        f"/v1/incidents/{incident.id}/escalate", json={"current_level": 2, "current_repeat": 1}
    )
    right = await api.post(
        f"/v1/incidents/{incident.id}/escalate", json={"current_level": 1, "current_repeat": 1}
    )

    assert (silent.status_code, stale.status_code, right.status_code) == (422, 409, 200)
    assert stale.json()["code"] == "climb_has_moved"


async def test_escalate_from_a_climb_that_has_begun_anew_since_is_refused(api, stage):
    await stage.fire("Disk")
    url = f"/v1/incidents/{(await stage.incident()).id}/escalate"
    seen = {"current_level": 1, "current_repeat": 1, "escalation_epoch": 1}
    await api.post(url, json={"restart": True})

    stale = await api.post(url, json=seen)
    right = await api.post(url, json=seen | {"escalation_epoch": 2})

    assert (stale.status_code, right.status_code) == (409, 200)
    assert stale.json()["code"] == "climb_has_moved"
    assert await stage.told(await stage.incident()) == ["First", "First", "Second"]


@pytest.mark.parametrize("seen", [{"current_level": 2}, {"current_repeat": 1}])
async def test_a_restart_that_names_a_level_as_well_is_refused(api, stage, seen):
    await stage.fire("Disk")
    url = f"/v1/incidents/{(await stage.incident()).id}/escalate"

    both = await api.post(url, json={"restart": True} | seen)
    alone = await api.post(url, json={"restart": True})

    assert (both.status_code, alone.status_code) == (422, 200)
    assert "leave current_level" in both.json()["errors"][0]["message"]


async def test_acting_for_an_unknown_person_is_refused_where_it_stands(api, stage):
    await stage.fire("Disk")

    answer = await api.post(
        f"/v1/incidents/{(await stage.incident()).id}/acknowledge", json={"user_id": str(new_id())}
    )

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/user_id"


async def test_a_key_that_may_only_read_cannot_respond(anonymous, stage):
    await stage.fire("Disk")
    async with stage.transactions.open() as tx:
        key = await factories.make_api_key(tx, scopes=["read"])

    answer = await anonymous.post(
        f"/v1/incidents/{(await stage.incident()).id}/acknowledge",
        headers={"Authorization": f"Bearer {key}"},
    )

    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")


async def test_the_incident_can_be_read_with_its_timeline_and_timers(api, stage):
    await stage.fire("Disk")
    incident = await stage.incident()

    read = (await api.get(f"/v1/incidents/{incident.id}")).json()
    timeline = (await api.get(f"/v1/incidents/{incident.id}/timeline")).json()
    jobs = (await api.get(f"/v1/incidents/{incident.id}/escalation-jobs")).json()

    assert (read["title"], read["status"]) == ("Disk is on fire", "OPEN")
    assert [event["kind"] for event in timeline["items"]] == ["opened", "paged"]
    assert [job["scheduled_level"] for job in jobs["items"]] == [1, 2]


async def test_incidents_are_listed_newest_first_a_page_at_a_time(api, stage):
    await stage.fire(*"ABCDE")

    first = (await api.get("/v1/incidents", params={"limit": 3})).json()
    rest = (
        await api.get("/v1/incidents", params={"limit": 3, "cursor": first["next_cursor"]})
    ).json()

    titles = [item["title"][0] for item in first["items"] + rest["items"]]
    assert sorted(titles) == list("ABCDE")
    assert (len(rest["items"]), rest["next_cursor"]) == (2, None)


async def test_incidents_can_be_narrowed_by_status(api, stage):
    await stage.fire("Disk", "Memory")
    await stage.clear("Disk")

    answer = (await api.get("/v1/incidents", params={"status": ["OPEN", "ACKNOWLEDGED"]})).json()

    assert [item["title"] for item in answer["items"]] == ["Memory is on fire"]


@pytest.mark.parametrize(
    "until", ["9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00Z"]
)
async def test_a_snooze_until_the_end_of_time_is_refused_in_words(api, stage, until):
    await stage.fire("Disk")

    answer = await api.post(
        f"/v1/incidents/{(await stage.incident()).id}/snooze", json={"until": until}
    )

    assert answer.status_code == 422
    assert "between the years" in answer.json()["errors"][0]["message"]
