import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.fakes import NOON
from tests.notifications.arrangements import PAGED, outgoing

from incident_service.notifications.message import as_json, one_line, subject, text


def test_a_webhook_lists_every_incident_with_what_a_program_needs():
    page = outgoing(replace(PAGED, also_told=("Ben", "Zoe")))

    body = json.loads(as_json(page))

    assert body == {
        "page_id": str(page.id),
        "type": "page",
        "answer_url": None,
        "incidents": [
            {
                "id": str(PAGED.id),
                "number": 12,
                "title": "Disk of db1 is full",
                "status": "OPEN",
                "priority": "critical",
                "kind": "page",
                "level": 2,
                "repeat": 1,
                "reason": "level 2 of the policy",
                "labels": {"alertname": "DiskFull", "instance": "db1"},
                "annotations": {"summary": "3 % left on /var"},
                "url": f"https://incidents.example/v1/incidents/{PAGED.id}",
                "service": "storage",
                "team": "databases",
                "created_at": "2026-11-02T12:00:00+00:00",
                "also_told": ["Ben", "Zoe"],
            }
        ],
    }


def test_every_attempt_of_a_webhook_has_the_same_body():
    first = outgoing()

    assert as_json(replace(first, sent_at=NOON.replace(hour=13))) == as_json(first)


def test_a_subject_says_how_urgent_it_is_and_what_it_is():
    assert subject(outgoing()) == "[CRITICAL] #12 Disk of db1 is full"


def test_a_subject_counts_the_incidents_that_it_does_not_name():
    page = outgoing(PAGED, replace(PAGED, number=13), replace(PAGED, number=14))

    assert subject(page) == "[CRITICAL] #12 Disk of db1 is full (and 2 more)"


@given(st.text(max_size=500))
def test_a_subject_is_one_short_line_whatever_the_title(title):
    line = subject(outgoing(replace(PAGED, title=title), PAGED))

    assert line.isprintable()
    assert len(line) <= 180


@given(st.text())
def test_one_line_is_printable(anything):
    assert one_line(anything).isprintable()


def test_the_text_answers_what_a_person_on_call_asks():
    assert text(outgoing()) == (
        "#12 Disk of db1 is full [critical, OPEN]\n"
        "summary: 3 % left on /var\n"
        "service: storage, team: databases\n"
        "since: 2026-11-02 12:00 UTC\n"
        "labels: alertname=DiskFull, instance=db1\n"
        "why you: level 2 of the policy\n"
        f"https://incidents.example/v1/incidents/{PAGED.id}\n"
    )


def test_a_page_ends_with_the_link_by_which_it_is_answered():
    page = outgoing(PAGED, PAGED, answer_url="https://incidents.example/a/x")

    assert text(page).endswith("\n\nanswer: https://incidents.example/a/x\n")
    assert json.loads(as_json(page))["answer_url"] == "https://incidents.example/a/x"


def test_the_text_says_who_else_was_told():
    page = outgoing(replace(PAGED, also_told=("Ana", "Ben\nBcc: x")))

    assert "also told: Ana, Ben Bcc: x\n" in text(page)


def test_of_many_who_were_told_the_text_names_a_few():
    page = outgoing(replace(PAGED, also_told=tuple("ABCDEFG")))

    assert "also told: A, B, C, D, E and 2 more\n" in text(page)


def test_the_text_begins_with_how_many_there_are():
    assert text(outgoing(PAGED, PAGED)).startswith("2 incidents\n\n#12 Disk of db1 is full ")
