"""How the incidents of a span went, on data that was reckoned by hand."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from tests import factories
from tests.credentials import limited_to
from tests.stage import MINUTE, Stage

from incident_service.catalog.models import Service
from incident_service.catalog.priority import Priority
from incident_service.core.db import Tx
from incident_service.core.ids import new_id
from incident_service.incidents.lifecycle import Status
from incident_service.incidents.models import Incident, IncidentEvent
from incident_service.notifications.models import (
    Notification,
    NotificationKind,
    NotificationStatus,
    Page,
    PageStatus,
)
from incident_service.teams.models import ContactMethod, User

URL = "/v1/analytics"
DAY = datetime(2026, 10, 24, tzinfo=UTC)
SPAN = {"from": DAY.isoformat(), "to": (DAY + timedelta(days=3)).isoformat()}


async def ask(api: httpx.AsyncClient, **params: Any) -> dict[str, Any]:
    answer = await api.get(URL, params=SPAN | params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def acknowledged(tx: Tx, incident: Incident, *minutes: int) -> None:
    for sequence, after in enumerate(minutes, start=1):
        tx.add_row(
            IncidentEvent,
            {
                "incident_id": incident.id,
                "sequence": sequence,
                "kind": "acknowledged",
                "actor": {},
                "reason": None,
                "data": {},
                "at": incident.created_at + after * MINUTE,
            },
        )
    await tx.flush()


async def told(
    tx: Tx, incident: Incident, user: User | None, address: ContactMethod, at: datetime, **also: Any
) -> None:
    row = {
        "id": new_id(),
        "incident_id": incident.id,
        "escalation_job_id": None,
        "epoch": 1,
        "user_id": user.id if user else None,
        "contact_method_id": address.id,
        "kind": NotificationKind.PAGE,
        "reason": "level 1",
        "level": 1,
        "repeat": 1,
        "due_at": at,
        "status": NotificationStatus.SENT,
        "created_at": at,
        "updated_at": at,
    }
    tx.session.add(Notification(**row | also))
    await tx.flush()


@pytest.fixture
async def past(stage: Stage) -> tuple[Service, Service]:
    """Five incidents in the span, of two teams; one more before it and one after it.

        service  key  priority  began   first acknowledged  over after    alerts
        shop     disk critical  00:00   4 min               10 min        1
        shop     disk critical  06:00   10 min              20 min        2
        shop     mem  high      12:00   never               60 min        5
        shop     dog  info      11:00   (quiet)             1 min         1
        theirs   disk high      11:00   1 min               open          1

    Of the shop's, the means are 7 min and 30 min, the medians 7 min and 20 min.
    """
    closed = {"status": Status.CLOSED, "priority": Priority.CRITICAL, "fingerprint": "disk"}
    async with stage.transactions.open() as tx:
        theirs = await factories.make_service(tx, await factories.make_team(tx))

        async def make(service: Service, hours: float, over: int | None = None, **row: Any) -> Any:
            began = DAY + timedelta(hours=hours)
            end = began + over * MINUTE if over else None
            row = {"status": Status.RESOLVED if end else Status.OPEN} | row
            return await factories.make_incident(
                tx, service, created_at=began, resolved_at=end, **row
            )

        early = await make(stage.service, -1, 5, title="Too early", **closed)
        late = await make(stage.service, 72, 5, title="Too late", **closed)
        first = await make(stage.service, 0, 10, title="Disk, once", **closed)
        again = await make(stage.service, 6, 20, title="Disk, again", alert_count=2, **closed)
        memory = await make(stage.service, 12, 60, fingerprint="mem", alert_count=5)
        quiet = {"is_quiet": True, "priority": Priority.INFO}
        await make(stage.service, 11, 1, fingerprint="dog", **quiet)
        other = await make(theirs, 11, title="Theirs", fingerprint="disk")
        for incident, *minutes in ((early, 1), (late, 1), (first, 4, 8), (again, 10), (other, 1)):
            await acknowledged(tx, incident, *minutes)

        ana = await factories.make_user(tx, team=stage.team, name="Ana", address=None)
        ben = await factories.make_user(tx, team=stage.team, name="Ben", address=None)
        mail = await factories.make_contact_method(tx, ana)
        sms = await factories.make_contact_method(tx, ana)
        call = await factories.make_contact_method(tx, ben)
        chat = await factories.make_team_channel(tx, stage.team, name="#shop")
        # 00:30 UTC on the 25th is 02:30 in Berlin, for the first time; 01:30 UTC is 02:30 again.
        await told(tx, first, ana, mail, DAY + timedelta(hours=0, minutes=30))
        await told(tx, first, ana, sms, DAY + timedelta(hours=24, minutes=30))
        await told(tx, again, ana, mail, DAY + timedelta(hours=25, minutes=30))
        await told(tx, again, ben, call, DAY + timedelta(hours=6))
        await told(tx, memory, None, chat, DAY + timedelta(hours=12))
        await told(tx, again, ben, call, DAY, kind=NotificationKind.UPDATE)
        await told(tx, again, ben, call, DAY, status=NotificationStatus.FAILED)
        await told(tx, again, ben, call, DAY, status=NotificationStatus.CANCELLED)
        await told(tx, early, ben, call, DAY)
        await told(tx, other, ben, call, DAY + timedelta(hours=23))
    return stage.service, theirs


async def test_incidents_are_counted_by_status_and_priority(api, past):
    found = await ask(api)

    assert found["incidents"] == 5
    assert found["by_status"] == {"OPEN": 1, "ACKNOWLEDGED": 0, "RESOLVED": 2, "CLOSED": 2}
    assert found["by_priority"] == {"critical": 2, "high": 2, "medium": 0, "low": 0, "info": 1}
    assert found["by_status_and_priority"] == [
        {"status": "OPEN", "priority": "high", "incidents": 1},
        {"status": "RESOLVED", "priority": "high", "incidents": 1},
        {"status": "RESOLVED", "priority": "info", "incidents": 1},
        {"status": "CLOSED", "priority": "critical", "incidents": 2},
    ]


async def test_the_times_to_acknowledge_and_to_resolve_have_a_mean_and_a_median(api, past):
    shop, _ = past

    found = await ask(api, service_id=shop.id)

    assert found["time_to_acknowledge"] == {"incidents": 2, "mean_s": 420, "median_s": 420}
    assert found["time_to_resolve"] == {"incidents": 3, "mean_s": 1800, "median_s": 1200}


async def test_pages_are_counted_by_person(api, past):
    shop, _ = past

    found = await ask(api, service_id=shop.id)

    pages = [(each["name"], each["pages"]) for each in found["pages_by_person"]]
    assert pages == [("Ana", 3), ("#shop", 1), ("Ben", 1)]


async def test_a_page_about_many_incidents_is_one(api, stage, past):
    shop, _ = past
    sent_at = DAY + timedelta(hours=5)
    async with stage.transactions.open() as tx:
        eve = await factories.make_user(tx, team=stage.team, name="Eve", address=None)
        mail = await factories.make_contact_method(tx, eve)
        page = sent_page(eve, mail, sent_at)
        tx.session.add(page)
        await tx.flush()
        for _ in range(3):
            incident = await factories.make_incident(tx, shop, created_at=DAY)
            await told(tx, incident, eve, mail, sent_at, page_id=page.id)

    found = await ask(api, service_id=shop.id)

    assert [each["pages"] for each in found["pages_by_person"] if each["name"] == "Eve"] == [1]
    assert found["pages_by_hour"][5] == 1


def sent_page(user: User, address: ContactMethod, at: datetime) -> Page:
    return Page(
        id=new_id(),
        user_id=user.id,
        contact_method_id=address.id,
        channel=address.kind,
        priority=Priority.CRITICAL,
        status=PageStatus.SENT,
        attempts=1,
        created_at=at,
        sent_at=at,
    )


def some(by_hour: list[int]) -> dict[int, int]:
    return {hour: count for hour, count in enumerate(by_hour) if count}


async def test_pages_are_counted_by_the_hours_of_a_time_zone(api, past):
    shop, _ = past

    utc = (await ask(api, service_id=shop.id))["pages_by_hour"]
    berlin = (await ask(api, service_id=shop.id, time_zone="Europe/Berlin"))["pages_by_hour"]
    kolkata = (await ask(api, service_id=shop.id, time_zone="Asia/Kolkata"))["pages_by_hour"]

    assert some(utc) == {0: 2, 1: 1, 6: 1, 12: 1}
    assert some(berlin) == {2: 3, 8: 1, 14: 1}
    assert some(kolkata) == {6: 2, 7: 1, 11: 1, 17: 1}
    assert len(utc) == 24


async def test_what_makes_the_most_noise_comes_first_and_then_what_did_last(api, past):
    shop, theirs = past

    found = (await ask(api))["noisiest"]

    assert [
        (each["service_id"], each["fingerprint"], each["incidents"], each["alerts"])
        for each in found[:2]
    ] == [(str(shop.id), "disk", 2, 3), (str(shop.id), "mem", 1, 5)]
    assert found[0]["title"] == "Disk, again"
    assert {each["service_id"] for each in found[2:]} == {str(shop.id), str(theirs.id)}


async def test_a_team_sees_its_own_numbers_only(anonymous, transactions, stage, past):
    _, theirs = past
    anonymous.headers.update(await limited_to(transactions, stage.team))

    own = await ask(anonymous)
    of_others = await ask(anonymous, team_id=theirs.team_id)
    of_their_service = await ask(anonymous, service_id=theirs.id)

    assert own["incidents"] == 4
    assert sum(own["pages_by_hour"]) == 5
    for nothing in (of_others, of_their_service):
        assert nothing["incidents"] == 0
        assert nothing["time_to_resolve"] == {"incidents": 0, "mean_s": None, "median_s": None}
        assert nothing["pages_by_person"] == nothing["noisiest"] == []


async def test_a_team_is_chosen(api, stage, past):
    _, theirs = past

    assert (await ask(api, team_id=theirs.team_id))["incidents"] == 1
    assert (await ask(api, team_id=stage.team.id))["incidents"] == 4


async def test_the_usual_span_is_the_last_thirty_days(api, stage):
    found = (await api.get(URL)).json()

    assert found["began_before"] == stage.clock().isoformat().replace("+00:00", "Z")
    assert found["began_from"] == "2026-10-03T12:00:00Z"
    assert found["incidents"] == 0


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"from": "2026-11-01T00:00:00Z", "to": "2026-11-01T00:00:00Z"}, "/query/from"),
        ({"from": "2024-11-01T00:00:00Z", "to": "2026-11-01T00:00:00Z"}, "/query/from"),
        ({"time_zone": "Mars/Olympus"}, "/query/time_zone"),
    ],
)
async def test_a_span_or_a_zone_that_makes_no_sense_is_refused_where_it_stands(api, wrong, pointer):
    answer = await api.get(URL, params=wrong)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer
