"""Say what a page says: as JSON for machines, as text for people. Pure."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from incident_service.catalog.priority import Priority
from incident_service.incidents.lifecycle import Status
from incident_service.notifications.models import NotificationKind

SUBJECT_LENGTH = 180
EXPLAINING_ANNOTATIONS = ("summary", "description", "message", "runbook_url")


@dataclass(frozen=True, slots=True)
class PagedIncident:
    """One incident as a page shows it, and why its reader is told: kind, level, repeat, reason."""

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


@dataclass(frozen=True, slots=True)
class OutgoingPage:
    """A page on its way: the most urgent incident first. `sent_at` is this attempt's instant.

    `answer_url` lets the person who is paged answer it without a key; it is a secret of theirs.
    """

    id: UUID
    priority: Priority
    incidents: tuple[PagedIncident, ...]
    sent_at: datetime
    answer_url: str | None = None


def as_json(page: OutgoingPage) -> bytes:
    """Return the body of a webhook.

    Each attempt shows the same incidents, as they stand, without those answered meanwhile.
    """
    body = {
        "page_id": str(page.id),
        "type": "page",
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
    }


def subject(page: OutgoingPage) -> str:
    """Return one line that says how urgent it is and what it is about."""
    first, *others = page.incidents
    text = f"[{page.priority.upper()}] {headline(first)}"
    more = f" (and {len(others)} more)" if others else ""
    return shortened(text, SUBJECT_LENGTH - len(more)) + more


def text(page: OutgoingPage) -> str:
    """Return the page in plain words, a paragraph an incident, and where to answer it."""
    answer = [f"answer: {page.answer_url}"] if page.answer_url else []
    return "\n\n".join([*map(paragraph, page.incidents), *answer]) + "\n"


def paragraph(incident: PagedIncident) -> str:
    """Return what a person on call asks first: what, where, why me, where to answer."""
    explained = [
        f"{name}: {one_line(incident.annotations[name])}"
        for name in EXPLAINING_ANNOTATIONS
        if incident.annotations.get(name)
    ]
    labels = ", ".join(f"{name}={value}" for name, value in sorted(incident.labels.items()))
    lines = [
        f"{headline(incident)} [{incident.priority.value}, {incident.status.value}]",
        *explained,
        f"service: {one_line(incident.service)}, team: {one_line(incident.team)}",
        f"labels: {one_line(labels)}" if labels else "",
        f"why you: {one_line(incident.reason)}",
        incident.url,
    ]
    return "\n".join(line for line in lines if line)


def headline(incident: PagedIncident) -> str:
    """Return the number and the title, on one line."""
    return f"#{incident.number} {one_line(incident.title)}"


def one_line(text: str) -> str:
    """Replace line breaks and control characters: text of a sender must not become a header."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(printable.split())


def shortened(text: str, length: int) -> str:
    """Cut text that is longer than `length` characters, visibly."""
    return text if len(text) <= length else text[: length - 1] + "…"
