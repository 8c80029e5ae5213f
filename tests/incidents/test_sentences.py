"""Events as sentences."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_service.incidents.sentences import Event, line, sentence
from incident_service.incidents.timeline import EventKind

ANA = {"type": "user", "id": "1", "name": "Ana"}
KEY = {"type": "api_key", "id": "2", "name": "ci"}
ALERTS = {"type": "alerts", "id": None, "name": "alerts"}
SYSTEM = {"type": "system", "id": None, "name": "incident-service"}
AT = "2026-11-25T12:05:00+00:00"
BO = {"id": "3", "name": "Bo", "because": [{"type": "schedule", "id": "4", "name": "Primary"}]}
MO = {"id": "5", "name": "Mo", "because": [{"type": "manager"}]}
NEXT = {"next": {"repeat": 1, "level": 2}, "next_at": AT}
LISTED = {"count": 2, "fingerprints": ["a", "b"]}

SAID: dict[EventKind, tuple[dict[str, Any], str | None, dict[str, Any], str]] = {
    EventKind.OPENED: (
        ALERTS,
        None,
        LISTED | {"priority": "low", "is_quiet": True},
        "Opened by 2 alerts, low. Nobody is paged: its service does not page for that.",
    ),
    EventKind.ALERTS_JOINED: (
        ALERTS,
        None,
        LISTED | {"priority": "high"},
        "2 alerts joined, high.",
    ),
    EventKind.ALERTS_RESOLVED: (
        ALERTS,
        None,
        LISTED | {"firing_count": 1},
        "2 alerts ended; 1 still fires.",
    ),
    EventKind.ALERTS_STALE: (
        SYSTEM,
        None,
        {"count": 1, "fingerprints": ["a"]},
        "1 alert went stale, not sent again for too long.",
    ),
    EventKind.PRIORITY_RAISED: (
        ALERTS,
        None,
        {"from": "low", "to": "high"},
        "Its alerts raised its priority from low to high.",
    ),
    EventKind.PRIORITY_LOWERED: (
        ANA,
        "it is a test system",
        {"from": "high", "to": "info", "falls_silent": True},
        "Ana lowered its priority from high to info, which pages nobody: it is a test system.",
    ),
    EventKind.PAGED: (
        SYSTEM,
        None,
        {
            "repeat": 2,
            "level": 1,
            "users": [BO, {"id": "6", "name": "Cy", "because": [{"type": "user"}]}],
            "channels": [{"id": "7", "name": "#ops"}],
            "unreachable": [{"id": "8", "name": "Di", "why": "has no address"}],
            "empty": [{"type": "schedule", "id": "9", "name": "Secondary"}],
            "late_s": 4.2,
        }
        | NEXT,
        (
            "Paged level 1 (pass 2), 4 s late: Bo (on call in Primary), Cy (named by the level). "
            "Also told: #ops. Not paged: Di has no address; nobody is on call in Secondary. "
            "Unless somebody answers, level 2 follows at 2026-11-25 12:05:00Z."
        ),
    ),
    EventKind.LEVELS_SKIPPED: (
        SYSTEM,
        "nobody at these levels can be paged now",
        {
            "levels": [{"repeat": 1, "level": 1}, {"repeat": 1, "level": 2}],
            "unreachable": [{"id": "8", "name": "Di", "why": "is inactive"}],
            "empty": [{"type": "entire_team"}],
        },
        (
            "Passed over level 1, level 2: nobody at these levels can be paged now. "
            "Not paged: Di is inactive; the team has no managers or responders."
        ),
    ),
    EventKind.LEVEL_UNREACHED: (
        SYSTEM,
        "no channel took its page",
        {"repeat": 1, "level": 2},
        "Level 2 was reached by no page: no channel took its page. The climb goes on at once.",
    ),
    EventKind.NOBODY_TO_PAGE: (
        SYSTEM,
        "no active policy with a level",
        {"told": []},
        (
            "Nobody could be paged by the policy: no active policy with a level. "
            "There is nobody to tell."
        ),
    ),
    EventKind.EXHAUSTED: (
        SYSTEM,
        None,
        {"told": [MO], "late_s": 0.1},
        "The policy ran out and nobody had answered. Told Mo (manages the team).",
    ),
    EventKind.REMINDED: (
        SYSTEM,
        None,
        {"told": [MO, BO]},
        "Nobody has answered yet. Told Mo (manages the team), Bo (on call in Primary).",
    ),
    EventKind.ASSIGNEE_PAGED: (
        SYSTEM,
        None,
        {"users": [{"id": "1", "name": "Ana", "because": []}]} | NEXT,
        "Paged Ana, nobody else. Unless somebody answers, level 2 follows at 2026-11-25 12:05:00Z.",
    ),
    EventKind.ASSIGNEE_TOLD: (
        SYSTEM,
        None,
        {"user": {"name": "Ana"}},
        "Told Ana, who has it, of more alerts.",
    ),
    EventKind.PAGE_FAILED: (
        SYSTEM,
        "A page by slack was given up: the channel refused it.",
        {"channel": "slack", "user_name": "Bo", "error": "channel_not_found"},
        "The page to Bo by slack was given up: channel_not_found.",
    ),
    EventKind.ACKNOWLEDGED: (
        ANA,
        "by the link in a page",
        {},
        "Ana acknowledged it: by the link in a page.",
    ),
    EventKind.UNACKNOWLEDGED: (KEY, None, {}, "The key “ci” gave it back."),
    EventKind.ACKNOWLEDGE_TIMED_OUT: (
        SYSTEM,
        None,
        {},
        "The acknowledge timed out; it is open again.",
    ),
    EventKind.ESCALATED: (ANA, None, {}, "Ana escalated it to the next level."),
    EventKind.RESTARTED: (
        ALERTS,
        "an alert of higher priority joined",
        {},
        "Its alerts began the climb again at level 1: an alert of higher priority joined.",
    ),
    EventKind.REASSIGNED: (
        ANA,
        None,
        {"policy": {"id": "9", "name": "Databases"}, "from": None},
        "Ana handed it to the policy “Databases”.",
    ),
    EventKind.SNOOZED: (ANA, None, {"until": AT}, "Ana snoozed it until 2026-11-25 12:05:00Z."),
    EventKind.SNOOZE_ENDED: (SYSTEM, None, {}, "The snooze ended."),
    EventKind.MAINTENANCE_HELD: (
        SYSTEM,
        "The database moves",
        {"window_id": "3", "until": AT},
        "Held by maintenance until 2026-11-25 12:05:00Z: The database moves.",
    ),
    EventKind.MAINTENANCE_ENDED: (SYSTEM, None, {}, "Maintenance holds it no more."),
    EventKind.RESOLVED: (
        ANA,
        "fixed",
        {"until_clear": True},
        "Ana resolved it: fixed. Its alerts are not believed until each has been resolved once.",
    ),
    EventKind.REOPENED: (
        ALERTS,
        "its alerts fire again",
        {},
        "Its alerts reopened it: its alerts fire again.",
    ),
    EventKind.CLOSED: (ANA, None, {}, "Ana closed it."),
    EventKind.NOTED: (ANA, None, {"text": "The log\nwas full."}, "Ana noted: The log was full."),
    EventKind.RELATED: (
        ANA,
        None,
        {"incident": {"id": "9", "number": 7}},
        "Ana linked it to #7.",
    ),
    EventKind.UNRELATED: (
        ANA,
        "a mistake",
        {"incident": {"id": "9", "number": 7}},
        "Ana took away its link to #7: a mistake.",
    ),
}


@pytest.mark.parametrize("kind", EventKind)
def test_every_kind_is_said_in_words(kind):
    actor, reason, data, expected = SAID[kind]

    assert sentence(Event(kind, actor, reason, data)) == expected


@pytest.mark.parametrize("kind", EventKind)
def test_what_another_release_has_written_is_named_at_least(kind):
    data: dict[str, Any] = {"users": None, "level": None, "incident": 5, "next": {}, "told": 1}

    assert sentence(Event(kind, {"type": "system"}, None, data)).endswith(".")


def test_a_person_is_named_where_an_incident_is_handed_to_one():
    data = {"user": {"id": "3", "name": "Bo"}, "from": None}

    said = sentence(Event(EventKind.REASSIGNED, ANA, "my shift ends", data))

    assert said == "Ana handed it to Bo: my shift ends."


def test_what_was_opened_by_hand_names_who_did():
    data = {"priority": "high", "is_quiet": False}

    said = sentence(Event(EventKind.OPENED, KEY, None, data))

    assert said == "Opened by the key “ci”, high."


def test_the_last_level_says_when_the_policy_has_run_out():
    data = SAID[EventKind.ASSIGNEE_PAGED][2] | {"level": 2, "repeat": 1, "next_is_end": True}

    said = sentence(Event(EventKind.PAGED, SYSTEM, None, data))

    assert said.endswith("Unless somebody answers, the policy has run out at 2026-11-25 12:05:00Z.")


def test_of_many_people_the_first_are_named():
    everybody = [{"id": str(n), "name": f"P{n}", "because": []} for n in range(500)]

    said = sentence(Event(EventKind.EXHAUSTED, SYSTEM, None, {"told": everybody}))

    assert said.endswith("P18, P19 and 480 more.")


def test_a_kind_of_another_release_is_named_as_it_is():
    assert sentence(Event("sung_about", ANA, "in C", {})) == "Ana: sung_about: in C."


@pytest.mark.parametrize("kind", EventKind)
@given(text=st.text())
def test_an_event_is_one_line_whatever_people_and_senders_write(kind, text):
    _, _, data, _ = SAID[kind]
    event = Event(kind, {"type": "user", "name": text}, text, written_by(data, text))

    said = line(datetime(2026, 11, 25, 12, tzinfo=UTC), event)

    assert said.startswith("2026-11-25 12:00:00Z  ")
    assert said.splitlines() == [said]
    assert said.isprintable()


def written_by(data: Any, text: str) -> Any:
    """The same data with every name and note replaced."""
    match data:
        case dict():
            names = ("name", "text", "why", "error", "user_name")
            return {
                key: text if key in names else written_by(value, text)
                for key, value in data.items()
            }
        case list():
            return [written_by(value, text) for value in data]
        case _:
            return data


async def test_the_timeline_is_read_as_sentences(api, stage):
    await stage.fire("Disk")
    incident = await stage.incident()
    await stage.do("acknowledge", incident, by=stage.first)

    answer = await api.get(f"/v1/incidents/{incident.id}/timeline", params={"format": "text"})

    at = f"{stage.clock():%Y-%m-%d %H:%M:%SZ}"
    opened, paged, acknowledged = answer.text.splitlines()
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert opened == f"{at}  Opened by 1 alert of “{stage.integration.name}”, critical."
    assert paged.startswith(f"{at}  Paged level 1: First (named by the level). Unless")
    assert acknowledged == f"{at}  First acknowledged it."


async def test_a_long_timeline_says_where_its_next_page_is(api, stage):
    await stage.fire("Disk")
    url = f"/v1/incidents/{(await stage.incident()).id}/timeline"

    first = await api.get(url, params={"format": "text", "limit": 1})
    rest = await api.get(first.links["next"]["url"])

    assert len(first.text.splitlines()) == 1
    assert rest.text.splitlines()[0].split("  ")[1].startswith("Paged level 1")
    assert "next" not in rest.links
