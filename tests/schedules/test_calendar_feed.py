"""A schedule's calendar, as a calendar program reads it."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from icalendar import Calendar
from tests.schedules.arrangements import URL, layer, make, schedule

from incident_service.observability.redaction import mask


async def open_feed(api: httpx.AsyncClient, made: dict[str, Any]) -> str:
    answer = await api.post(f"{URL}/{made['id']}/calendar-feed")
    assert answer.status_code == 201, answer.text
    return str(answer.json()["url"])


async def subscribe(api: httpx.AsyncClient, url: str) -> httpx.Response:
    """Read the feed as a calendar program does: with nothing but its address."""
    return await api.get(url, headers={"authorization": ""})


def events(answer: httpx.Response) -> list[Any]:
    return list(Calendar.from_ical(answer.content).walk("VEVENT"))


@pytest.fixture
async def weekly(api, stage) -> dict[str, Any]:
    return await make(
        api, schedule(stage, layer(stage.first, stage.second, starts_at="2026-06-01T00:00:00Z"))
    )


async def test_the_calendar_shows_the_shifts_that_the_page_shows(api, weekly, stage):
    answer = await subscribe(api, await open_feed(api, weekly))
    shown = await api.get(
        f"{URL}/{weekly['id']}/shifts",
        params={"from": "2026-10-01T00:00:00Z", "to": "2027-05-01T12:00:00Z"},
    )

    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    assert [(e.start, e.end) for e in events(answer)] == [
        tuple(datetime.fromisoformat(shift[edge]) for edge in ("starts_at", "ends_at"))
        for shift in shown.json()["shifts"]
    ]
    assert {str(event["summary"]) for event in events(answer)} == {
        f"{person.name} on call: Primary" for person in (stage.first, stage.second)
    }


async def test_a_shift_keeps_its_name_in_later_feeds(api, weekly, clock):
    url = await open_feed(api, weekly)
    before = {str(event["uid"]) for event in events(await subscribe(api, url))}
    clock.advance(days=26)
    after = {str(event["uid"]) for event in events(await subscribe(api, url))}

    assert before <= after
    assert len(after - before) == 4


async def test_an_override_shows_in_the_calendar(api, weekly, stage):
    body = {
        "user_id": str(stage.second.id),
        "starts_at": "2026-11-04T09:00:00Z",
        "ends_at": "2026-11-04T12:00:00Z",
    }
    await api.post(f"{URL}/{weekly['id']}/overrides", json=body)

    found = events(await subscribe(api, await open_feed(api, weekly)))
    (override,) = [e for e in found if e.start == datetime(2026, 11, 4, 9, tzinfo=UTC)]

    assert override.end == datetime(2026, 11, 4, 12, tzinfo=UTC)
    assert str(override["summary"]).startswith(stage.second.name)


async def test_the_address_can_be_replaced_and_taken_back(api, weekly):
    first = await open_feed(api, weekly)
    second = await open_feed(api, weekly)
    replaced = await subscribe(api, first)
    kept = await subscribe(api, second)
    shown = await api.get(f"{URL}/{weekly['id']}")
    await api.delete(f"{URL}/{weekly['id']}/calendar-feed")
    taken_back = await subscribe(api, second)

    assert (replaced.status_code, replaced.json()["code"]) == (404, "feed_not_found")
    assert (kept.status_code, shown.json()["has_calendar_feed"]) == (200, True)
    assert taken_back.status_code == 404
    assert (await api.get(f"{URL}/{weekly['id']}")).json()["has_calendar_feed"] is False


async def test_a_schedule_without_a_feed_has_no_calendar(api, weekly):
    answer = await subscribe(api, f"{URL}/{weekly['id']}.ics?key=")

    assert answer.status_code == 404


async def test_the_key_of_a_calendar_reaches_no_log(api, weekly):
    url = await open_feed(api, weekly)

    assert mask(url).endswith("?key=isc_***")
