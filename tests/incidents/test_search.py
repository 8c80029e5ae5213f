"""Search of incidents over HTTP: labels, text, sorts, and cursors while rows are added."""

import random
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from tests import factories
from tests.credentials import limited_to
from tests.kept import Kept
from tests.stage import MINUTE, Stage

from incident_service.catalog.priority import Priority
from incident_service.core.ids import new_id
from incident_service.incidents.lifecycle import Status
from incident_service.web.lists.keyset import MOST_SCANNED

URL = "/v1/incidents"


async def found(api: httpx.AsyncClient, **params: Any) -> list[str]:
    answer = await api.get(URL, params=params)
    assert answer.status_code == 200, answer.text
    return [item["title"] for item in answer.json()["items"]]


async def make(stage: Stage, title: str, /, **changes: Any) -> None:
    async with stage.transactions.open() as tx:
        await factories.make_incident(tx, stage.service, title=title, **changes)
    stage.clock.advance(minutes=1)


@pytest.fixture
async def searched(stage: Stage, kept: Kept) -> Stage:
    stage.clock.now = await kept.once(("searched", stage.team.id), lambda: make_some(stage))
    return stage


async def make_some(stage: Stage) -> datetime:
    await make(stage, "Disk", labels={"alertname": "DiskFull", "host": "db-1.example:9100"})
    await make(stage, "Pods", labels={"alertname": "KubePodCrashLooping", "team": "web"})
    await make(stage, "Odd", labels={"alertname": "Odd", "path": 'C:\\tmp "x"', "rate": "100%_a"})
    return stage.clock.now


@pytest.mark.parametrize(
    ("matchers", "titles"),
    [
        (['alertname="DiskFull"'], ["Disk"]),
        (["alertname=diskfull"], []),
        (["team!=web"], ["Odd", "Disk"]),
        (['team=""'], ["Odd", "Disk"]),
        (['team!=""'], ["Pods"]),
        (["alertname=~DiskFull|Odd"], ["Odd", "Disk"]),
        (["alertname!~DiskFull|Odd"], ["Pods"]),
        (["team=~web|"], ["Odd", "Pods", "Disk"]),
        (["team!~|db"], ["Pods"]),
        (["alertname=~Disk.*"], ["Disk"]),
        (["alertname=~Disk"], []),
        (["alertname=~.*Full|Od+"], ["Odd", "Disk"]),
        (["alertname!~Disk.*"], ["Odd", "Pods"]),
        (["team=~.*"], ["Odd", "Pods", "Disk"]),
        (["team=~.+"], ["Pods"]),
        (["alertname=~(?i)odd", 'path=~".*tmp.*"'], ["Odd"]),
        (['{alertname=~"Disk.*",host="db-1.example:9100"}'], ["Disk"]),
        (['rate="100%_a"'], ["Odd"]),
    ],
)
async def test_labels_are_matched_as_alertmanager_does(api, searched, matchers, titles):
    assert await found(api, matcher=matchers) == titles


@pytest.mark.parametrize("matcher", ["alertname", "alertname=~(", 'a="b', "x=\x00", ""])
async def test_a_matcher_that_cannot_be_read_is_refused_where_it_stands(api, matcher):
    answer = await api.get(URL, params={"matcher": ["team=web", matcher]})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/query/matcher/1"


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        ("crash", ["Pods"]),
        ("POD crash", ["Pods"]),
        ("crash disk", []),
        ("db-1.example", ["Disk"]),
        ("DB-1.Example:9100", ["Disk"]),
        ("le:910", ["Disk"]),
        ("pg-1.example:9100", []),
        ("le:9100x", []),
        ("disk", ["Disk"]),
        ('C:\\tmp "x"', ["Odd"]),
        ("100%_a", ["Odd"]),
        ("100%%a", []),
        ("alertname", []),
    ],
)
async def test_text_is_found_in_titles_and_in_values_of_labels(api, searched, text, titles):
    assert await found(api, q=text) == titles


@pytest.mark.parametrize("text", ["", "ab", "a b c d", "---", "\x00abc", "x" * 201])
async def test_text_that_no_index_helps_with_is_refused(api, text):
    answer = await api.get(URL, params={"q": text})

    assert answer.status_code == 422


async def test_a_key_of_a_team_finds_nothing_of_another(anonymous, transactions, searched):
    async with transactions.open() as tx:
        team = await factories.make_team(tx)
        theirs = await factories.make_service(tx, team)
        await factories.make_incident(tx, theirs, title="Theirs", labels={"alertname": "DiskFull"})
    anonymous.headers.update(await limited_to(transactions, team))
    ours = {"team_id": searched.team.id}

    assert await found(anonymous, matcher="alertname=DiskFull") == ["Theirs"]
    assert await found(anonymous, matcher="alertname=~Disk.*", sort="urgent") == ["Theirs"]
    assert await found(anonymous, q="diskfull") == ["Theirs"]
    assert await found(anonymous, team_id=team.id) == ["Theirs"]
    assert await found(anonymous, **ours) == []


async def test_exhausted_incidents_are_found(api, stage):
    await make(stage, "Fresh")
    await make(stage, "Exhausted", exhausted_at=stage.clock())

    assert await found(api, is_exhausted=True) == ["Exhausted"]
    assert await found(api, is_exhausted=False) == ["Fresh"]


async def test_the_most_urgent_come_first_and_of_those_what_has_waited_longest(api, stage):
    await make(stage, "taken", status=Status.ACKNOWLEDGED, priority=Priority.CRITICAL)
    await make(stage, "open, low", priority=Priority.LOW)
    await make(stage, "open, critical, older", priority=Priority.CRITICAL)
    await make(stage, "open, critical, newer", priority=Priority.CRITICAL)
    await make(stage, "closed", status=Status.CLOSED, priority=Priority.CRITICAL)
    await make(stage, "over", status=Status.RESOLVED, priority=Priority.INFO)

    assert await found(api, sort="urgent") == [
        "open, critical, older",
        "open, critical, newer",
        "open, low",
        "taken",
        "over",
        "closed",
    ]


async def every_page(stage: Stage, api: httpx.AsyncClient, **params: Any) -> list[str]:
    """Read page after page, while others add incidents before and after each place."""
    chance = random.Random(7)
    seen: list[str] = []
    cursor = None
    while True:
        answer = await api.get(URL, params=params | ({"cursor": cursor} if cursor else {}))
        assert answer.status_code == 200, answer.text
        seen += [item["title"] for item in answer.json()["items"]]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return seen
        for _ in range(3):
            late = stage.clock() - MINUTE * chance.randrange(120)
            await make(stage, "added", **varied(chance), created_at=late)


def varied(chance: random.Random) -> dict[str, Any]:
    return {
        "status": chance.choice(list(Status)),
        "priority": chance.choice(list(Priority)),
        "labels": {"host": f"db-{chance.randrange(4)}"},
    }


@pytest.mark.parametrize("sort", ["newest", "urgent"])
@pytest.mark.parametrize("matcher", [[], ["host=~db-[012]"]])
async def test_no_incident_is_missed_or_seen_twice_while_others_are_added(
    api, stage, sort, matcher
):
    chance = random.Random(3)
    for number in range(40):
        same_instant = stage.clock() - timedelta(minutes=chance.randrange(30))
        await make(stage, f"{number}", **varied(chance), created_at=same_instant)
    before = await found(api, sort=sort, matcher=matcher, limit=200)

    seen = await every_page(stage, api, sort=sort, matcher=matcher, limit=7)

    assert [title for title in seen if title != "added"] == before


@pytest.mark.parametrize(
    "other",
    [{"sort": "urgent"}, {"status": "OPEN"}, {"q": "disk"}, {"matcher": "alertname=~Disk.*"}],
)
async def test_a_cursor_goes_on_with_its_own_sort_and_filters_only(api, searched, other):
    cursor = (await api.get(URL, params={"limit": 1})).json()["next_cursor"]

    answer = await api.get(URL, params={"cursor": cursor} | other)

    assert (answer.status_code, answer.json()["code"]) == (400, "cursor_of_another_list")


async def test_a_search_that_finds_little_ends_its_page_and_goes_on_from_there(api, stage):
    async with stage.transactions.open() as tx:
        first = await factories.make_incident(tx, stage.service, title="Wanted", labels={"x": "ab"})
        values = {column.key: getattr(first, column.key) for column in type(first).__table__.c}
        del values["number"]
        copies = [
            values
            | {
                "id": new_id(),
                "fingerprint": f"copy {number}",
                "labels": {"x": "cd"},
                "created_at": stage.clock() + timedelta(seconds=number),
            }
            for number in range(MOST_SCANNED + 10)
        ]
        for copy in copies:
            tx.add_row(type(first), copy)
    params = {"matcher": "x=~a."}

    nothing_yet = (await api.get(URL, params=params)).json()
    rest = (await api.get(URL, params=params | {"cursor": nothing_yet["next_cursor"]})).json()

    assert nothing_yet["items"] == []
    assert [item["title"] for item in rest["items"]] == ["Wanted"]
    assert rest["next_cursor"] is None
