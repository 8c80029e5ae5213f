"""Say what a page says: as JSON for machines, as plain text for people. Pure.

What a channel reads as more than text is written in `wording`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from incident_service.catalog.priority import Priority, highest
from incident_service.incidents.lifecycle import Status
from incident_service.notifications.models import NotificationKind

SUBJECT_LENGTH = 180
MOST_NAMED = 5
EXPLAINING_ANNOTATIONS = ("summary", "description", "message", "runbook_url")


@dataclass(frozen=True, slots=True)
class PagedIncident:
    """One incident as a page shows it, and why its reader is told: kind, level, repeat, reason.

    `also_told` names the others who are paged about it.
    """

    id: UUID
    number: int
    title: str
    status: Status
    priority: Priority
    kind: NotificationKind
    level: int
    repeat: int
    reason: str
    labels: dict[str, str]
    annotations: dict[str, str]
    url: str
    service: str
    team: str
    created_at: datetime
    also_told: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OutgoingPage:
    """A page on its way: the most urgent incident first.

    `sent_at` is the instant of this attempt, which is number `attempt` of the page, from 1.

    `answer_url` lets the person who is paged answer it without a key; it is a secret of theirs. One
    with a `note` is about no incident and says that instead.
    """

    id: UUID
    priority: Priority
    incidents: tuple[PagedIncident, ...]
    sent_at: datetime
    answer_url: str | None = None
    note: str | None = None
    attempt: int = 1


def urgency(incidents: Sequence[PagedIncident]) -> Priority:
    """Return how urgent a page is: as what it asks an answer for; updates disturb nobody."""
    asked = [each.priority for each in incidents if each.kind is NotificationKind.PAGE]
    return highest(*asked) if asked else Priority.INFO


def as_json(page: OutgoingPage) -> bytes:
    """Return the body of a webhook.

    Each attempt shows the same incidents, as they stand, without those answered meanwhile.
    """
    body = {
        "page_id": str(page.id),
        "type": "note" if page.note else "page",
        **({"note": page.note} if page.note else {}),
        "answer_url": page.answer_url,
        "incidents": [incident_as_json(incident) for incident in page.incidents],
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def incident_as_json(incident: PagedIncident) -> dict[str, Any]:
    """Return one entry of a webhook's `incidents`."""
    return {
        "id": str(incident.id),
        "number": incident.number,
        "title": incident.title,
        "status": incident.status.value,
        "priority": incident.priority.value,
        "kind": incident.kind.value,
        "level": incident.level,
        "repeat": incident.repeat,
        "reason": incident.reason,
        "labels": incident.labels,
        "annotations": incident.annotations,
        "url": incident.url,
        "service": incident.service,
        "team": incident.team,
        "created_at": incident.created_at.isoformat(),
        "also_told": list(incident.also_told),
    }


def subject(page: OutgoingPage) -> str:
    """Return one line: how urgent it is, or what has become of it, and what it is about."""
    if page.note:
        return shortened(one_line(page.note), SUBJECT_LENGTH)
    first, *others = page.incidents
    is_update = first.kind is NotificationKind.UPDATE
    text = f"[{first.status if is_update else page.priority.upper()}] {headline(first)}"
    more = f" (and {len(others)} more)" if others else ""
    return shortened(text, SUBJECT_LENGTH - len(more)) + more


def text(page: OutgoingPage) -> str:
    """Return the page in plain words: how many, a paragraph an incident, where to answer."""
    if page.note:
        return f"{page.note}\n"
    return assembled(page, [paragraph(incident) for incident in page.incidents])


def assembled(page: OutgoingPage, paragraphs: Sequence[str]) -> str:
    """Put the first paragraphs of a page between its count and its link."""
    more = len(page.incidents) - len(paragraphs)
    parts = [
        counted(page) if len(page.incidents) > 1 else "",
        *paragraphs,
        f"… and {more} more" if more and paragraphs else "",
        f"answer: {page.answer_url}" if page.answer_url else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def counted(page: OutgoingPage) -> str:
    """Say how many incidents a page is about."""
    return "1 incident" if len(page.incidents) == 1 else f"{len(page.incidents)} incidents"


def paragraph(incident: PagedIncident, length: int | None = None) -> str:
    """Return what a person on call asks first: what, where, since when, why me, where to look.

    Each thing that is said has at most `length` characters, but for the link.
    """
    said = [(name, shortened(value, length)) for name, value in facts(incident)]
    what = shortened(headline(incident), length)
    lines = [
        f"{what} [{incident.priority.value}, {incident.status.value}]",
        *(f"{name}: {value}" for name, value in said),
        incident.url,
    ]
    return "\n".join(lines)


def facts(incident: PagedIncident) -> list[tuple[str, str]]:
    """Return what there is to say about an incident, each on one line, in the order to read it."""
    annotations = [(name, incident.annotations.get(name, "")) for name in EXPLAINING_ANNOTATIONS]
    labels = ", ".join(f"{name}={value}" for name, value in sorted(incident.labels.items()))
    said = [
        *annotations,
        ("service", f"{incident.service}, team: {incident.team}"),
        ("since", clock_time(incident.created_at)),
        ("labels", labels),
        ("why you", incident.reason),
        ("also told", named(incident.also_told)),
    ]
    return [(name, one_line(value)) for name, value in said if value]


def named(people: tuple[str, ...]) -> str:
    """Return the first few names, and how many more there are."""
    more = len(people) - MOST_NAMED
    return ", ".join(people[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def clock_time(instant: datetime) -> str:
    """Write an instant to the minute; UTC, as a page's readers may be anywhere."""
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def headline(incident: PagedIncident) -> str:
    """Return the number and the title, on one line."""
    return f"#{incident.number} {one_line(incident.title)}"


def one_line(text: str) -> str:
    """Replace line breaks and control characters: text of a sender must not become a header."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(printable.split())


def shortened(text: str, length: int | None) -> str:
    """Cut text that is longer than `length` characters, if there is such a limit, visibly."""
    return text if length is None or len(text) <= length else text[: length - 1] + "…"
