"""Decide what the report of an incident says, from what is on record. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from incident_service.catalog.priority import Priority
from incident_service.incidents import sentences
from incident_service.incidents.lifecycle import Status
from incident_service.incidents.timeline import EventKind
from incident_service.notifications.models import NotificationKind, NotificationStatus

PEOPLE_AND_PROGRAMS = ("user", "api_key")
# What follows from a deed has its author as well, and is none.
CONSEQUENCES = (EventKind.SNOOZE_ENDED,)


@dataclass(frozen=True, slots=True)
class Event:
    """An entry of the timeline."""

    sequence: int
    kind: str
    actor: dict[str, Any]
    reason: str | None
    data: dict[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True)
class Message:
    """That somebody was, or was to be, told at one address. `recipient` is a name."""

    user_id: UUID | None
    recipient: str
    kind: NotificationKind
    status: NotificationStatus
    at: datetime


@dataclass(frozen=True, slots=True)
class Facts:
    """What is on record of an incident. Its events and messages are the first ones, in order."""

    id: UUID
    number: int
    title: str
    status: Status
    priority: Priority
    is_quiet: bool
    service_name: str
    team_name: str
    labels: dict[str, str]
    alert_count: int
    flap_count: int
    began_at: datetime
    resolved_at: datetime | None
    closed_at: datetime | None
    event_count: int
    events: Sequence[Event]
    messages: Sequence[Message]


@dataclass(frozen=True, slots=True)
class Line:
    """What happened, in words."""

    sequence: int
    at: datetime
    kind: str
    actor: str
    said: str


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that somebody did."""

    sequence: int
    at: datetime
    kind: str


@dataclass(frozen=True, slots=True)
class Deeds:
    """What one person or program did."""

    id: str | None
    name: str
    deeds: Sequence[Deed]


@dataclass(frozen=True, slots=True)
class Pages:
    """How often one person was told. A message that was sent asks for an answer, or informs."""

    user_id: UUID | None
    name: str
    pages: int
    updates: int
    failed: int
    taken_back: int
    first_at: datetime | None
    last_at: datetime | None


@dataclass(frozen=True, slots=True)
class Report:
    """What happened, when, who did what, and how long it took."""

    id: UUID
    number: int
    title: str
    status: Status
    priority: Priority
    is_quiet: bool
    service_name: str
    team_name: str
    labels: dict[str, str]
    alert_count: int
    reopened: int
    levels_paged: int
    highest_level: int
    was_exhausted: bool
    began_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    resolved_at: datetime | None
    resolved_by: str | None
    closed_at: datetime | None
    time_to_acknowledge_s: float | None
    time_to_resolve_s: float | None
    who_did_what: Sequence[Deeds]
    pages_by_person: Sequence[Pages]
    timeline: Sequence[Line]
    events_left_out: int


def make_report(facts: Facts) -> Report:
    """Say what there is to say; the acknowledge that counts is the first one."""
    events = facts.events
    acknowledged = next((e for e in events if e.kind == EventKind.ACKNOWLEDGED), None)
    resolved = next((e for e in reversed(events) if e.kind == EventKind.RESOLVED), None)
    paged = [int(event.data.get("level", 0)) for event in events if event.kind == EventKind.PAGED]
    return Report(
        id=facts.id,
        number=facts.number,
        title=facts.title,
        status=facts.status,
        priority=facts.priority,
        is_quiet=facts.is_quiet,
        service_name=facts.service_name,
        team_name=facts.team_name,
        labels=facts.labels,
        alert_count=facts.alert_count,
        reopened=facts.flap_count,
        levels_paged=len(paged),
        highest_level=max(paged, default=0),
        was_exhausted=any(event.kind == EventKind.EXHAUSTED for event in events),
        began_at=facts.began_at,
        acknowledged_at=acknowledged.at if acknowledged else None,
        acknowledged_by=name_of(acknowledged),
        resolved_at=facts.resolved_at,
        resolved_by=name_of(resolved) if facts.resolved_at else None,
        closed_at=facts.closed_at,
        time_to_acknowledge_s=since(facts.began_at, acknowledged.at if acknowledged else None),
        time_to_resolve_s=since(facts.began_at, facts.resolved_at),
        who_did_what=deeds_of(events),
        pages_by_person=pages_of(facts.messages),
        timeline=[line_of(event) for event in events],
        events_left_out=facts.event_count - len(events),
    )


def since(began_at: datetime, at: datetime | None) -> float | None:
    """Return the seconds until an instant; None: it has not come."""
    return None if at is None else (at - began_at).total_seconds()


def name_of(event: Event | None) -> str | None:
    """Name the author of an event."""
    return None if event is None else str(event.actor.get("name"))


def line_of(event: Event) -> Line:
    """Put an event in words."""
    name = str(event.actor.get("name"))
    said = sentences.sentence(sentences.Event(event.kind, event.actor, event.reason, event.data))
    return Line(event.sequence, event.at, event.kind, name, said)


def deeds_of(events: Sequence[Event]) -> list[Deeds]:
    """List what each person and program did, in the order in which they first did something."""
    by_actor: dict[tuple[str | None, str], list[Deed]] = {}
    for event in events:
        if event.actor.get("type") in PEOPLE_AND_PROGRAMS and event.kind not in CONSEQUENCES:
            key = (event.actor.get("id"), str(event.actor.get("name")))
            by_actor.setdefault(key, []).append(Deed(event.sequence, event.at, event.kind))
    return [Deeds(*key, deeds) for key, deeds in by_actor.items()]


def pages_of(messages: Sequence[Message]) -> list[Pages]:
    """Count the messages of each person or channel, in the order in which they were first told."""
    by_person: dict[tuple[UUID | None, str], list[Message]] = {}
    for message in messages:
        by_person.setdefault((message.user_id, message.recipient), []).append(message)
    return [pages_of_one(*key, of) for key, of in by_person.items()]


def pages_of_one(user_id: UUID | None, name: str, messages: Sequence[Message]) -> Pages:
    """Count one person's messages by what became of them."""
    sent = [each for each in messages if each.status is NotificationStatus.SENT]
    at = [each.at for each in sent]
    pages = sum(each.kind is NotificationKind.PAGE for each in sent)
    return Pages(
        user_id=user_id,
        name=name,
        pages=pages,
        updates=len(sent) - pages,
        failed=sum(each.status is NotificationStatus.FAILED for each in messages),
        taken_back=sum(each.status is NotificationStatus.CANCELLED for each in messages),
        first_at=min(at, default=None),
        last_at=max(at, default=None),
    )
