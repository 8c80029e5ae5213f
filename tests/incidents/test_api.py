"""Incidents over HTTP: lists and their filters, one incident, its timeline and timers."""

from typing import Any

import httpx
import pytest
from tests import factories
from tests.stage import Stage

from incident_service.core.ids import new_id

URL = "/v1/incidents"


async def titles(api: httpx.AsyncClient, **params: Any) -> list[str]:
    answer = await api.get(URL, params=params)
    assert answer.status_code == 200, answer.text
    return [item["title"].split()[0] for item in answer.json()["items"]]


@pytest.fixture
async def story(stage: Stage) -> Stage:
    """Disk is open, Memory acknowledged by First, Power resolved, Watchdog quiet."""
    await stage.fire("Disk", severity="critical")
    await stage.fire("Memory", severity="critical")
    await stage.fire("Power", severity="warning")
    await stage.fire("Watchdog", severity="none")
    by_title = {incident.title.split()[0]: incident for incident in await stage.incidents()}
    await stage.do("acknowledge", by_title["Memory"], by=stage.first)
    await stage.do("resolve", by_title["Power"], by=stage.first)
    return stage


async def test_the_newest_incident_comes_first(api, story):
    assert await titles(api) == ["Watchdog", "Power", "Memory", "Disk"]


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"status": "OPEN"}, ["Watchdog", "Disk"]),
        ({"status": ["ACKNOWLEDGED", "RESOLVED"]}, ["Power", "Memory"]),
        ({"status": "CLOSED"}, []),
        ({"priority": "critical"}, ["Memory", "Disk"]),
        ({"priority": ["medium", "info"]}, ["Watchdog", "Power"]),
        ({"is_quiet": True}, ["Watchdog"]),
        ({"is_quiet": False, "status": "OPEN"}, ["Disk"]),
        ({"team_id": new_id()}, []),
        ({"service_id": new_id()}, []),
        ({"created_before": "2026-11-02T12:00:00Z"}, []),
        ({"created_from": "2026-11-02T12:00:00Z", "status": "RESOLVED"}, ["Power"]),
    ],
)
async def test_a_filter_narrows_the_list(api, story, params, found):
    assert await titles(api, **params) == found


async def test_incidents_are_found_by_who_has_them_and_by_what_they_are(api, story):
    disk = (await story.incidents())[0]

    by_person = await titles(api, assigned_user_id=story.first.id)
    by_key = await titles(api, fingerprint=disk.fingerprint, service_id=disk.service_id)

    assert by_person == ["Memory"]
    assert by_key == [disk.title.split()[0]]


async def test_a_filter_that_cannot_be_read_is_refused_where_it_stands(api):
    answer = await api.get(URL, params={"status": "BROKEN"})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/query/status/0"


async def test_pages_join_without_gap_or_overlap(api, story):
    seen, cursor = [], None
    while True:
        params = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        page = (await api.get(URL, params=params)).json()
        seen += [item["number"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == 4


@pytest.mark.parametrize("cursor", ["nonsense", "%00", "AAAA", "🙂"])
async def test_a_made_up_cursor_is_refused(api, cursor):
    answer = await api.get(URL, params={"cursor": cursor})

    assert (answer.status_code, answer.json()["code"]) == (400, "cursor_unreadable")


async def test_another_teams_incident_is_not_there(api, anonymous, transactions, story):
    incident = (await story.incidents())[0]
    async with transactions.open() as tx:
        team = await factories.make_team(tx)
        key = await factories.make_api_key(tx, scopes=["read", "respond"], team_ids=[str(team.id)])
    anonymous.headers["Authorization"] = f"Bearer {key}"

    listed = await anonymous.get(URL)
    shown = await anonymous.get(f"{URL}/{incident.id}")
    taken = await anonymous.post(f"{URL}/{incident.id}/acknowledge")

    assert listed.json()["items"] == []
    assert (shown.status_code, taken.status_code) == (404, 404)


async def test_a_key_that_may_only_read_cannot_act(anonymous, transactions, story):
    incident = (await story.incidents())[0]
    async with transactions.open() as tx:
        key = await factories.make_api_key(tx, scopes=["read"])
    anonymous.headers["Authorization"] = f"Bearer {key}"

    shown = await anonymous.get(f"{URL}/{incident.id}")
    taken = await anonymous.post(f"{URL}/{incident.id}/acknowledge")

    assert (shown.status_code, taken.status_code) == (200, 403)


async def test_the_timeline_comes_in_pages_oldest_first(api, stage):
    await stage.fire("Disk")
    await stage.wait(5)
    path = f"{URL}/{(await stage.incident()).id}/timeline"

    first = (await api.get(path, params={"limit": 2})).json()
    rest = (await api.get(path, params={"cursor": first["next_cursor"]})).json()

    events = first["items"] + rest["items"]
    assert [(event["sequence"], event["kind"]) for event in events] == [
        (1, "opened"),
        (2, "paged"),
        (3, "paged"),
    ]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize("cursor", [-1, 2**31, 10**30, "x"])
async def test_a_made_up_place_in_the_timeline_is_refused(api, stage, cursor):
    await stage.fire("Disk")

    answer = await api.get(
        f"{URL}/{(await stage.incident()).id}/timeline", params={"cursor": cursor}
    )

    assert (answer.status_code, answer.json()["code"]) == (400, "cursor_unreadable")


async def test_the_timers_show_what_was_done_and_what_comes_next(api, stage):
    await stage.fire("Disk")
    incident = await stage.incident()

    page = (await api.get(f"{URL}/{incident.id}/escalation-jobs")).json()

    done, pending = page["items"]
    assert (done["scheduled_level"], done["completed"], done["outcome"]) == (1, True, "paged")
    assert (pending["scheduled_level"], pending["completed"]) == (2, False)
    assert pending["arq_job_id"] == pending["id"]


@pytest.mark.parametrize("what", ["", "/timeline", "/alerts", "/notifications", "/escalation-jobs"])
async def test_what_belongs_to_an_unknown_incident_is_not_found(api, what):
    answer = await api.get(f"{URL}/{new_id()}{what}")

    assert (answer.status_code, answer.json()["code"]) == (404, "incident_not_found")


@pytest.mark.parametrize(
    "wanted",
    [
        {"created_from": "9999-12-31T23:59:59-12:00"},
        {"created_before": "0001-01-01T00:00:00+14:00"},
        {"fingerprint": "\x00"},
    ],
)
async def test_a_filter_that_nothing_can_match_is_refused_in_words(api, wanted):
    answer = await api.get(URL, params=wanted)

    assert answer.status_code == 422
    assert answer.json()["errors"]
