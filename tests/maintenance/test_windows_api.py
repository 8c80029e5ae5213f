"""Maintenance windows: what is refused, and what is found."""

from datetime import datetime

import pytest
from tests import factories
from tests.maintenance.arrangements import URL, change, end, maintain, window
from tests.stage import MINUTE

DAY = 24 * 60


async def test_a_window_is_shown_as_it_was_made(api, stage):
    made = await maintain(api, stage, 30, service_id=str(stage.service.id), matchers=["a=b"])

    shown = (await api.get(f"{URL}/{made['id']}")).json()

    assert shown == made
    assert (shown["service_id"], shown["matchers"]) == (str(stage.service.id), ["a=b"])
    assert (shown["reason"], shown["ended_at"]) == ("The database moves", None)
    assert shown["created_by"]["type"] == "api_key"


async def test_without_a_start_or_with_a_past_one_it_begins_now(api, stage):
    past = (stage.clock() - 10 * MINUTE).isoformat()
    answers = [
        await api.post(URL, json=window(stage) | {"starts_at": given}) for given in (None, past)
    ]

    starts = [datetime.fromisoformat(answer.json()["starts_at"]) for answer in answers]
    assert starts == [stage.clock()] * 2


@pytest.mark.parametrize(
    ("minutes", "more", "pointer"),
    [
        (0, {}, "/ends_at"),
        (-5, {}, "/ends_at"),
        (30 * DAY + 1, {}, "/ends_at"),
        (5, {"matchers": ["nonsense"]}, "/matchers/0"),
        (5, {"reason": " "}, "/reason"),
    ],
)
async def test_a_window_that_makes_no_sense_is_refused(api, stage, minutes, more, pointer):
    answer = await api.post(URL, json=window(stage, minutes, **more))

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_a_window_about_another_teams_service_is_refused(api, stage, transactions):
    async with transactions.open() as tx:
        theirs = await factories.make_service(tx, await factories.make_team(tx))

    answer = await api.post(URL, json=window(stage, service_id=str(theirs.id)))

    assert (answer.status_code, answer.json()["code"]) == (422, "window_wrong")


async def test_windows_are_found_by_team_service_and_instant(api, stage, transactions):
    async with transactions.open() as tx:
        other = await factories.make_service(tx, stage.team)
    now = await maintain(api, stage, 10)
    later = await maintain(api, stage, 10, after=60, service_id=str(other.id))
    ended = await maintain(api, stage, 10)
    await end(api, ended)

    async def found(**query: str) -> list[str]:
        return [each["id"] for each in (await api.get(URL, params=query)).json()["items"]]

    at = (stage.clock() + 65 * MINUTE).isoformat()
    assert await found(team_id=str(stage.team.id)) == [ended["id"], later["id"], now["id"]]
    assert await found(service_id=str(stage.service.id)) == [ended["id"], now["id"]]
    assert await found(active_at=at) == [later["id"]]
    assert await found(active_at=stage.clock().isoformat()) == [now["id"]]
    assert await found(team_id=str(other.id)) == []


async def test_what_is_over_does_not_change(api, stage):
    made = await maintain(api, stage, 10)
    await end(api, made)

    answers = [
        await change(api, made, reason="Another"),
        await end(api, made),
        await api.delete(f"{URL}/{made['id']}"),
    ]

    assert [answer.status_code for answer in answers] == [409] * 3
    assert {answer.json()["code"] for answer in answers} == {"window_is_over"}


async def test_what_has_begun_is_not_deleted_and_not_begun_elsewhere(api, stage):
    made = await maintain(api, stage, 10)
    later = (stage.clock() + MINUTE).isoformat()

    answers = [await api.delete(f"{URL}/{made['id']}"), await change(api, made, starts_at=later)]

    assert [answer.json()["code"] for answer in answers] == ["window_has_begun"] * 2


async def test_what_has_not_begun_is_deleted_or_put_off_and_not_ended(api, stage):
    made = await maintain(api, stage, 10, after=5)
    later = (stage.clock() + 8 * MINUTE).isoformat()

    refused = await end(api, made)
    put_off = await change(api, made, starts_at=later)
    gone = await api.delete(f"{URL}/{made['id']}")

    assert refused.json()["code"] == "window_not_begun"
    assert datetime.fromisoformat(put_off.json()["starts_at"]) == stage.clock() + 8 * MINUTE
    assert (gone.status_code, (await api.get(URL)).json()["items"]) == (204, [])


async def test_a_window_may_be_widened_to_the_whole_team(api, stage):
    made = await maintain(api, stage, service_id=str(stage.service.id))

    changed = await change(api, made, service_id=None)

    assert changed.json()["service_id"] is None


async def test_the_windows_of_a_service_go_with_it(api, stage, transactions):
    async with transactions.open() as tx:
        service = await factories.make_service(tx, stage.team)
    await maintain(api, stage, service_id=str(service.id))

    answer = await api.delete(f"/v1/services/{service.id}")

    assert (answer.status_code, (await api.get(URL)).json()["items"]) == (204, [])
