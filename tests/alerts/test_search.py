"""Search of alerts over HTTP: of every incident, and of none."""

from datetime import datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update
from tests import factories
from tests.credentials import limited_to
from tests.kept import Kept
from tests.stage import Stage

from incident_service.alerts.ingest import Payload, ingest
from incident_service.alerts.models import Alert
from incident_service.core.ids import new_id
from incident_service.incidents.models import Incident

URL = "/v1/alerts"


async def found(api: httpx.AsyncClient, **params: Any) -> list[str]:
    answer = await api.get(URL, params=params)
    assert answer.status_code == 200, answer.text
    return [item["labels"]["alertname"] for item in answer.json()["items"]]


@pytest.fixture
async def story(stage: Stage, kept: Kept) -> Stage:
    """Disk fired twice, Memory fires, and only the end of Power was seen."""
    stage.clock.now = await kept.once(("story", stage.team.id), lambda: tell(stage))
    return stage


async def tell(stage: Stage) -> datetime:
    await stage.fire("Disk", labels={"host": "db-1"})
    stage.clock.advance(minutes=1)
    await stage.clear("Disk", labels={"host": "db-1"})
    stage.clock.advance(minutes=1)
    await stage.refire("Disk", labels={"host": "db-2"})
    stage.clock.advance(minutes=1)
    await stage.fire("Memory", severity="warning")
    stage.clock.advance(minutes=1)
    await stage.clear("Power")
    return stage.clock.now


async def test_each_time_that_an_alert_fired_is_listed_newest_first(api, story):
    assert await found(api) == ["Power", "Memory", "Disk", "Disk"]


@pytest.mark.parametrize(
    ("params", "names"),
    [
        ({"status": "firing"}, ["Memory", "Disk"]),
        ({"status": ["firing", "resolved"], "priority": "medium"}, ["Memory"]),
        ({"has_incident": False}, ["Power"]),
        ({"has_incident": True}, ["Memory", "Disk", "Disk"]),
        ({"team_id": new_id()}, []),
        ({"service_id": new_id()}, []),
        ({"integration_id": new_id()}, []),
        ({"fingerprint": "unknown"}, []),
        ({"received_before": "2026-11-02T12:00:00Z"}, []),
        ({"matcher": "alertname=Disk"}, ["Disk", "Disk"]),
        ({"matcher": ["alertname=Disk", "host!=db-1"]}, ["Disk"]),
        ({"matcher": "host=~db-[12]"}, ["Disk", "Disk"]),
        ({"matcher": "host!~db-.*"}, ["Power", "Memory"]),
        ({"q": "emor"}, ["Memory"]),
        ({"q": "disk DB-2"}, ["Disk"]),
        ({"q": "power on fire"}, ["Power"]),
        ({"q": "alertname"}, []),
        ({"priority": ["medium", "critical"]}, ["Power", "Memory", "Disk", "Disk"]),
        ({"sort": "urgent"}, ["Disk", "Memory", "Disk", "Power"]),
        ({"sort": "urgent", "matcher": "host=~db-.*"}, ["Disk", "Disk"]),
        ({"assigned_user_id": new_id()}, []),
        ({"is_quiet": True}, []),
        ({"is_quiet": False}, ["Memory", "Disk", "Disk"]),
        ({"is_exhausted": True}, []),
    ],
)
async def test_a_filter_narrows_the_list(api, story, params, names):
    assert await found(api, **params) == names


async def test_alerts_are_found_by_where_they_came_from_and_when(api, story):
    fingerprints = await story.rows(select(Alert.fingerprint).order_by(Alert.id))
    at = story.clock()
    mine = {
        "team_id": story.team.id,
        "service_id": story.service.id,
        "integration_id": story.integration.id,
    }

    everything = await found(api, **mine)
    of_disk = await found(api, fingerprint=fingerprints[0])
    just_now = await found(api, received_from=at.isoformat())

    assert everything == ["Power", "Memory", "Disk", "Disk"]
    assert of_disk == ["Disk", "Disk"]
    assert just_now == ["Power"]


async def test_alerts_are_found_by_what_is_true_of_their_incident(api, story):
    disk, *_, memory = await story.incidents()
    await story.do("acknowledge", disk, by=story.first)
    await story.fire("Chatter", severity="info")
    async with story.transactions.open() as tx:
        await tx.session.execute(
            update(Incident).where(Incident.id == memory.id).values(exhausted_at=tx.now)
        )

    assert await found(api, assigned_user_id=story.first.id) == ["Disk", "Disk"]
    assert await found(api, is_quiet=True) == ["Chatter"]
    assert await found(api, is_exhausted=True) == ["Memory"]
    assert await found(api, is_exhausted=False) == ["Chatter", "Disk", "Disk"]
    assert await found(api, assigned_user_id=story.first.id, q="disk db-2") == ["Disk"]


@pytest.mark.parametrize("text", ["", "ab", "---", "x" * 201])
async def test_text_that_no_index_helps_with_is_refused(api, text):
    assert (await api.get(URL, params={"q": text})).status_code == 422


@pytest.mark.parametrize("sort", ["newest", "urgent"])
async def test_a_sorted_list_is_read_page_by_page(api, story, sort):
    everything = await found(api, sort=sort)
    names, cursor = [], None
    while True:
        params = {"limit": 1, "sort": sort} | ({"cursor": cursor} if cursor else {})
        page = (await api.get(URL, params=params)).json()
        names += [item["labels"]["alertname"] for item in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break

    assert names == everything


async def test_pages_join_without_gap_or_overlap_while_alerts_come_in(api, story):
    names, cursor = [], None
    while True:
        params = {"limit": 1} | ({"cursor": cursor} if cursor else {})
        page = (await api.get(URL, params=params)).json()
        names += [item["labels"]["alertname"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        await story.fire(f"New {next(factories.serial)}")

    assert names == ["Power", "Memory", "Disk", "Disk"]


async def test_a_cursor_goes_on_with_its_own_filters_only(api, story):
    cursor = (await api.get(URL, params={"limit": 1})).json()["next_cursor"]

    for other in ({"status": "firing"}, {"sort": "urgent"}, {"q": "disk"}, {"is_quiet": False}):
        answer = await api.get(URL, params={"cursor": cursor} | other)
        assert (answer.status_code, answer.json()["code"]) == (400, "cursor_of_another_list")


async def test_a_team_sees_the_alerts_of_its_own_services_only(anonymous, transactions, story):
    async with transactions.open() as tx:
        team = await factories.make_team(tx)
        service = await factories.make_service(tx, team)
        integration, _ = await factories.make_integration(tx, service)
    payload = Payload(integration.id, service.id, (story.alert("Theirs"),))
    await transactions.run(lambda tx: ingest(tx, [payload]))
    anonymous.headers.update(await limited_to(transactions, team))

    assert await found(anonymous) == ["Theirs"]
    assert await found(anonymous, team_id=story.team.id) == []
    assert await found(anonymous, service_id=story.service.id) == []
