"""Whatever an alert says is said as text: no channel reads markup or a template in it."""

import json
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from string import printable
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.notifications.arrangements import PAGED, outgoing

from incident_service.notifications.message import OutgoingPage, one_line
from incident_service.notifications.wording.markup import as_html
from incident_service.notifications.wording.short import TEXT_LENGTH, short_text
from incident_service.notifications.wording.slack import as_message
from incident_service.notifications.wording.spoken import as_twiml

TWIML_LENGTH = 4000  # https://www.twilio.com/docs/voice/api/call-resource#create-a-call
HOSTILE = st.lists(
    st.sampled_from(
        [
            "<!channel>", "<@U012AB3CD>", "<https://evil.example|click>", "<script>", "</p>",
            "</Say>", "<Dial>+1555</Dial>", "<img src=https://evil.example/x.png>", "<!--", "]]>",
            "&lt;", "&amp;", "&", '"', "'", "onerror=", "style=", "*", "_", "`",
            "{", "}", "{0}", "{title}", "{url.__class__}", "%s", "${x}", "{{ 7*7 }}",
            "\r\n", "\x00", "\ud800", "\u202e",
        ]
    )
    | st.text(max_size=8)
    | st.text(printable, max_size=8),
    max_size=12,
).map("".join)  # fmt: skip


@st.composite
def pages(draw: st.DrawFn) -> OutgoingPage:
    """Pages in which every text that somebody else has written is hostile."""
    incident = replace(
        PAGED,
        title=draw(HOSTILE),
        service=draw(HOSTILE),
        team=draw(HOSTILE),
        reason=draw(HOSTILE),
        labels={draw(HOSTILE): draw(HOSTILE)},
        annotations={"summary": draw(HOSTILE), "runbook_url": draw(HOSTILE)},
        also_told=(draw(HOSTILE),),
    )
    answer = draw(st.sampled_from([None, "https://incidents.example/a/1"]))
    return outgoing(*[incident] * draw(st.integers(1, 3)), answer_url=answer)


class Reader(HTMLParser):
    """Reads a document's elements, what they point to, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: set[str | None] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links |= {value for name, value in attrs if name in {"href", "src"}}

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.tags.add("comment")


def read(document: str) -> Reader:
    reader = Reader()
    reader.feed(document)
    reader.close()
    return reader


@st.composite
def notes(draw: st.DrawFn) -> OutgoingPage:
    """Messages about no incident, of which somebody else has written a part."""
    return outgoing(note=f"Subscription {draw(HOSTILE)} is paused. The last error: {draw(HOSTILE)}")


@given(pages() | notes())
def test_slack_finds_no_syntax_in_an_alert(page):
    said = json.loads(as_message(page))["text"]

    assert not {"<", ">"} & set(said)
    assert "&" not in said.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")


@given(pages())
def test_slack_shows_what_the_alert_said(page):
    said = unescape(json.loads(as_message(page))["text"])

    assert one_line(page.incidents[0].title)[:100] in said


def test_slack_is_told_to_look_for_nothing():
    message = json.loads(as_message(outgoing()))

    assert (message["mrkdwn"], message["parse"], message["link_names"]) == (False, "none", False)
    assert (message["unfurl_links"], message["unfurl_media"]) == (False, False)


@given(pages() | notes())
def test_a_mail_has_no_element_or_link_but_our_own(page):
    found = read(as_html(page))

    assert found.tags <= {"html", "head", "meta", "title", "body", "div", "p", "span", "a"}
    assert found.attributes <= {"lang", "charset", "style", "href"}
    assert found.links <= {PAGED.url, "https://incidents.example/a/1"}


@given(pages())
def test_a_mail_shows_what_the_alert_said(page):
    assert one_line(page.incidents[0].title) in read(as_html(page)).text


def test_a_mail_loads_nothing_and_has_the_facts():
    document = as_html(outgoing(PAGED, PAGED, answer_url="https://incidents.example/a/1"))

    assert "url(" not in document
    for fact in ("2 incidents", "storage", "databases", "2026-11-02 12:00 UTC", "Answer"):
        assert fact in document


@given(pages() | notes())
def test_twiml_says_one_thing_twice_whatever_the_alert_said(page):
    response = ET.fromstring(as_twiml(page))

    assert [each.tag for each in response.iter()] == ["Response", "Say"]
    assert response[0].attrib == {"loop": "2"}


@given(pages() | notes())
def test_twiml_fits_the_call(page):
    assert len(as_twiml(page)) <= TWIML_LENGTH


def test_twiml_of_the_longest_names_fits_the_call():
    long = replace(PAGED, title="'" * 1000, service="'" * 1000, team="'" * 1000)

    assert len(as_twiml(outgoing(long))) <= TWIML_LENGTH


def test_a_call_says_how_urgent_how_many_what_where_and_since_when():
    assert (
        "This is a critical page, about 2 incidents. Incident 12: Disk of db1 is full. "
        "Service storage, team databases, since 12:00 U T C. "
    ) in as_twiml(outgoing(PAGED, PAGED))


@given(pages() | notes())
def test_a_text_message_is_one_short_line(page):
    said = short_text(page)

    assert said.isprintable()
    assert len(said) <= TEXT_LENGTH


@given(pages())
def test_a_text_message_ends_with_a_link_that_is_whole(page):
    assert short_text(page).endswith(f" {page.answer_url or PAGED.url}")


@pytest.mark.parametrize("length", [150, 200, 250, 2000])
def test_a_link_is_whole_or_left_out(length):
    url = "https://incidents.example/" + "a" * length

    said = short_text(outgoing(answer_url=url))

    assert len(said) <= TEXT_LENGTH
    assert said.endswith(f" {url}") or "https:" not in said


def test_a_text_message_says_how_urgent_what_where_since_when_and_the_link():
    assert short_text(outgoing()) == (
        "CRITICAL #12 Disk of db1 is full (storage, since 2026-11-02 12:00 UTC) " + PAGED.url
    )


def test_a_text_message_counts_and_names_the_first():
    said = short_text(outgoing(PAGED, PAGED, PAGED, answer_url="https://i.example/a/1"))

    assert said == (
        "CRITICAL 3 incidents, first #12 Disk of db1 is full "
        "(storage, since 2026-11-02 12:00 UTC) https://i.example/a/1"
    )
