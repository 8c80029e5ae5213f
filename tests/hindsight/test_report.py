"""The report of an incident: what happened, who did what, how long it took."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.stage import MINUTE

from incident_service.catalog.priority import Priority
from incident_service.core.ids import new_id
from incident_service.hindsight.markdown import as_markdown
from incident_service.hindsight.queries import MOST_EVENTS
from incident_service.hindsight.report import Event, Facts, Message, make_report
from incident_service.incidents import timeline
from incident_service.incidents.lifecycle import Status
from incident_service.incidents.locks import lock
from incident_service.incidents.timeline import EventKind
from incident_service.notifications.models import NotificationKind, NotificationStatus

NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
ANA, BEN = new_id(), new_id()
SENT, FAILED = NotificationStatus.SENT, NotificationStatus.FAILED
PAGE, UPDATE = NotificationKind.PAGE, NotificationKind.UPDATE


def event(
    sequence: int,
    kind: str,
    minutes: int,
    actor: str = "system",
    reason: str | None = None,
    **data: Any,
) -> Event:
    is_person = actor in ("Ana", "Ben")
    ids = {"Ana": str(ANA), "Ben": str(BEN)}
    who = {"type": "user" if is_person else actor, "id": ids.get(actor), "name": actor}
    return Event(sequence, kind, who, reason, data, NOON + minutes * MINUTE)


def paged(level: int, user_id: UUID, name: str) -> dict[str, Any]:
    return {
        "level": level,
        "repeat": 1,
        "users": [{"id": str(user_id), "name": name}],
        "next": {"level": level + 1, "repeat": 1},
        "next_at": "2026-11-02T12:10:00+00:00",
    }


EVENTS = [
    event(1, "opened", 0, "alerts"),
    event(2, "paged", 0, **paged(1, ANA, "Ana")),
    event(3, "paged", 5, **paged(2, BEN, "Ben")),
    event(4, "acknowledged", 7, "Ben"),
    event(5, "unacknowledged", 9, "Ben", "wrong person."),
    event(6, "acknowledged", 12, "Ana"),
    event(7, "resolved", 30, "Ana"),
]
FACTS = Facts(
    id=new_id(),
    number=12,
    title="Disk full",
    status=Status.RESOLVED,
    priority=Priority.HIGH,
    is_quiet=False,
    service_name="Shop",
    team_name="Payments",
    labels={"host": "db-1"},
    alert_count=2,
    flap_count=0,
    began_at=NOON,
    resolved_at=NOON + 30 * MINUTE,
    closed_at=None,
    event_count=7,
    events=EVENTS,
    messages=[
        Message(ANA, "Ana", PAGE, SENT, NOON),
        Message(ANA, "Ana", PAGE, FAILED, NOON + MINUTE),
        Message(BEN, "Ben", PAGE, SENT, NOON + 5 * MINUTE),
        Message(ANA, "Ana", UPDATE, SENT, NOON + 7 * MINUTE),
        Message(BEN, "Ben", PAGE, NotificationStatus.CANCELLED, NOON + 7 * MINUTE),
    ],
)


def test_the_time_to_acknowledge_ends_with_the_first_one():
    report = make_report(FACTS)

    assert (report.time_to_acknowledge_s, report.acknowledged_by) == (7 * 60, "Ben")


def test_the_time_to_resolve_ends_with_the_last_resolve():
    report = make_report(FACTS)

    assert (report.time_to_resolve_s, report.resolved_by) == (30 * 60, "Ana")


def test_what_is_active_again_is_not_resolved():
    report = make_report(replace(FACTS, status=Status.OPEN, resolved_at=None, flap_count=1))

    assert (report.time_to_resolve_s, report.resolved_by, report.reopened) == (None, None, 1)


def test_what_nobody_answered_has_no_time_to_acknowledge():
    report = make_report(replace(FACTS, events=EVENTS[:3], event_count=3))

    assert (report.time_to_acknowledge_s, report.acknowledged_by) == (None, None)
    assert report.who_did_what == []


def test_everybody_is_named_with_what_they_did():
    report = make_report(FACTS)

    assert {each.name: [deed.kind for deed in each.deeds] for each in report.who_did_what} == {
        "Ben": ["acknowledged", "unacknowledged"],
        "Ana": ["acknowledged", "resolved"],
    }


def test_messages_are_counted_by_person_and_by_what_became_of_them():
    ana, ben = make_report(FACTS).pages_by_person

    assert (ana.name, ana.pages, ana.updates, ana.failed, ana.taken_back) == ("Ana", 1, 1, 1, 0)
    assert (ben.name, ben.pages, ben.updates, ben.failed, ben.taken_back) == ("Ben", 1, 0, 0, 1)
    assert (ana.first_at, ana.last_at) == (NOON, NOON + 7 * MINUTE)


def test_levels_are_counted():
    report = make_report(FACTS)

    assert (report.levels_paged, report.highest_level, report.was_exhausted) == (2, 2, False)


def test_what_happened_is_said_in_words():
    said = [line.said for line in make_report(FACTS).timeline]

    assert said[1].startswith("Paged level 1: Ana. Unless somebody answers, level 2 follows at ")
    assert said[4] == "Ben gave it back: wrong person."


def test_a_kind_that_is_new_is_said_as_well():
    report = make_report(replace(FACTS, events=[event(1, "note_added", 1, "Ana", "see wiki")]))

    assert report.timeline[0].said == "Ana: note_added: see wiki."


def test_the_report_is_written_as_markdown():
    written = as_markdown(make_report(FACTS)).splitlines()

    assert written[0] == "# Incident 12: Disk full"
    assert "- Acknowledged: after 0:07:00, by Ben" in written
    assert "- Resolved: after 0:30:00, by Ana" in written
    assert "- 2026-11-02 12:07:00 UTC: Ben acknowledged it." in written
    assert "| Ana | 1 | 1 | 1 | 0 | 2026-11-02 12:00:00 UTC | 2026-11-02 12:07:00 UTC |" in written


@given(st.text("ab<>|*_`[]()#&!~\\\n\r\x85 ", max_size=30))
def test_texts_of_others_stay_on_their_line_and_mean_themselves(text):
    usual = as_markdown(make_report(FACTS)).splitlines()
    facts = replace(FACTS, title=text, labels={"x": text}, service_name=text)

    written = as_markdown(make_report(facts)).splitlines()

    assert len(written) == len(usual)
    title = written[0].removeprefix("# Incident 12: ")
    for special in "<>|*_`[]#&!~":
        assert title.count(special) == title.count(f"\\{special}")


def test_control_characters_of_others_are_not_passed_on():
    facts = replace(FACTS, title="\x1b[2Jred \u202egnp.exe\x07", labels={"x": "\x1b[31m"})

    assert as_markdown(make_report(facts)).replace("\n", "").isprintable()


def test_where_events_are_left_out_it_says_so():
    notes = [event(number, "noted", 1, "Ana") for number in (1, 2)]
    events = [*notes, event(6, "acknowledged", 7, "Ben"), event(8, "resolved", 9, "Ben")]

    written = as_markdown(make_report(replace(FACTS, events=events, event_count=9))).splitlines()

    told = written[written.index("## What happened") + 2 : written.index("## Who did what") - 1]
    assert told[2] == "- … 3 more"
    assert told[4] == "- … 1 more"
    assert told[6] == "- … 1 more"
    assert len(told) == 7


def test_of_many_deeds_the_first_are_listed():
    events = [event(number, "acknowledged", 1, "Ana") for number in range(1, 101)]

    written = as_markdown(make_report(replace(FACTS, events=events)))

    assert ", and 80 more\n" in written


async def test_the_report_of_a_story(api, stage):
    await stage.fire("Disk")
    await stage.mark_sent()
    await stage.wait(5)
    stage.clock.advance(minutes=1)
    incident = await stage.incident()
    await stage.do("acknowledge", incident, by=stage.second)
    stage.clock.advance(minutes=4)
    await stage.do("resolve", incident, by=stage.second)

    report = (await api.get(f"/v1/incidents/{incident.id}/report")).json()

    assert report["time_to_acknowledge_s"] == 6 * 60
    assert report["time_to_resolve_s"] == 10 * 60
    assert (report["acknowledged_by"], report["resolved_by"]) == ("Second", "Second")
    assert (report["service_name"], report["team_name"]) == (stage.service.name, "Payments")
    assert [each["kind"] for each in report["timeline"]] == await stage.kinds(incident)
    by_name = {each["name"]: each for each in report["pages_by_person"]}
    assert (by_name["First"]["pages"], by_name["Second"]["taken_back"]) == (1, 1)
    assert [each["kind"] for each in report["who_did_what"][0]["deeds"]] == [
        "acknowledged",
        "resolved",
    ]
    assert report["events_left_out"] == 0


async def test_what_comes_after_a_thousand_notes_is_still_reported(api, stage):
    await stage.fire("Disk")
    incident = await stage.incident()
    async with stage.transactions.open() as tx:
        locked = (await lock(tx.session, [incident.id]))[incident.id]
        for number in range(MOST_EVENTS):
            timeline.record(tx, locked, EventKind.NOTED, data={"text": f"note {number}"})
    await stage.do("acknowledge", incident, by=stage.second)

    report = (await api.get(f"/v1/incidents/{incident.id}/report")).json()

    assert report["acknowledged_by"] == "Second"
    assert report["timeline"][-1]["kind"] == "acknowledged"
    assert report["events_left_out"] == 2  # the notes past the first thousand events


async def test_the_report_comes_as_markdown_when_asked(api, stage):
    await stage.fire("Disk")
    incident = await stage.incident()

    answer = await api.get(f"/v1/incidents/{incident.id}/report", params={"format": "markdown"})

    assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
    assert answer.text.startswith(f"# Incident {incident.number}: ")


@pytest.mark.parametrize("form", ["text", ""])
async def test_another_format_is_refused(api, stage, form):
    await stage.fire("Disk")
    incident = await stage.incident()

    answer = await api.get(f"/v1/incidents/{incident.id}/report", params={"format": form})

    assert answer.status_code == 422


async def test_what_is_unknown_has_no_report(api):
    answer = await api.get(f"/v1/incidents/{new_id()}/report")

    assert (answer.status_code, answer.json()["code"]) == (404, "incident_not_found")
