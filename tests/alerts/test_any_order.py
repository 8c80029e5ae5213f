"""Whatever way the messages of a story take, it ends as it does when they come one by one.

Which stories: alerts that fire and end several times, each time with a start of its own, later
than the end before; some ends are never told, because the next start supersedes them. All messages
arrive within the hold, in any order, any number of times, in payloads of any size.

One thing only is asked of the sender. Who hears a firing after its end cannot tell a late copy
from an alert that goes on: after the hold the service believes the sender. So when a copy of a
firing comes last, the end is told once more, as Alertmanager does at each flush of its group.
Alerts without a start are left out: such a message means whatever fires when it comes.

The same state: the same episodes with the same ends, and the same active incidents. An incident
that is over may be missing where its end came before its beginning. How an episode ended whose end
nobody told is a guess.
"""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from tests import factories
from tests.fakes import NOON
from tests.stage import MINUTE, Stage

from incident_service.alerts.intake import Intake
from incident_service.alerts.models import Alert, AlertStatus
from incident_service.catalog.models import IntegrationKind
from incident_service.incidents.lifecycle import Status
from incident_service.incidents.models import Incident

BEGINNING = NOON - timedelta(hours=12)


@dataclass(frozen=True)
class Message:
    """One alert as a sender says it; one that fires has no end."""

    name: str
    starts_at: datetime
    ends_at: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "status": "resolved" if self.ends_at else "firing",
            "labels": {"alertname": self.name, "severity": "info"},
            "annotations": {},
            "startsAt": self.starts_at.isoformat(),
            "endsAt": self.ends_at.isoformat() if self.ends_at else "0001-01-01T00:00:00Z",
            "fingerprint": self.name,
        }


def episodes(name: str, steps: Sequence[tuple[int, int, bool]], *, is_over: bool) -> list[Message]:
    """The messages of an alert: it fires for some minutes, then there is a pause, and again.

    `is_told` says whether the end is; that of the last one is told when all `is_over`.
    """
    messages, at = [], BEGINNING
    for index, (minutes, pause, is_told) in enumerate(steps):
        ends_at = at + minutes * MINUTE
        messages.append(Message(name, at))
        if is_over if index == len(steps) - 1 else is_told:
            messages.append(Message(name, at, ends_at))
        at = ends_at + pause * MINUTE
    return messages


STEPS = st.lists(st.tuples(st.integers(0, 20), st.integers(1, 20), st.booleans()), max_size=3)


@st.composite
def stories(draw: st.DrawFn) -> tuple[list[Message], list[list[Message]]]:
    """Draw messages in their order, and payloads of them as they arrive: each copy is late."""
    told = [
        message
        for name in ("Disk", "Memory")
        for message in episodes(name, draw(STEPS), is_over=draw(st.booleans()))
    ]
    delays = st.lists(st.integers(0, len(told)), min_size=1, max_size=3)
    copies = [
        (place + late, message) for place, message in enumerate(told) for late in draw(delays)
    ]
    arriving = [message for _, message in sorted(copies, key=lambda copy: copy[0])]
    arriving += last_word(told, arriving)
    sizes = draw(st.lists(st.integers(1, 5), min_size=len(arriving), max_size=len(arriving)))
    return told, list(parted(arriving, sizes))


def last_word(told: Sequence[Message], arriving: Sequence[Message]) -> Iterator[Message]:
    """The ends to tell once more; of an episode that has a successor the last word does not count.

    When an end came before every firing, they are all late.
    """
    newest = {message.name: message.starts_at for message in told}
    for end in told:
        if end.ends_at is None or end.starts_at != newest[end.name]:
            continue
        copies = [
            message.ends_at is None
            for message in arriving
            if (message.name, message.starts_at) == (end.name, end.starts_at)
        ]
        if copies[0] and copies[-1]:
            yield end


def parted(messages: Sequence[Message], sizes: Sequence[int]) -> Iterator[list[Message]]:
    rest = list(messages)
    for size in sizes:
        if rest:
            yield rest[:size]
        rest = rest[size:]


async def in_one_piece(data: bytes) -> AsyncIterator[bytes]:
    yield data


class Telling:
    """One service of its own that hears a story, through all that a webhook goes through."""

    def __init__(self, stage: Stage, **service: Any) -> None:
        self._stage = stage
        self._service_changes = service

    async def begin(self) -> None:
        async with self._stage.transactions.open() as tx:
            self._service = await factories.make_service(
                tx,
                self._stage.team,
                escalation_policy_id=self._stage.policy.id,
                **self._service_changes,
            )
            _, self._key = await factories.make_integration(tx, self._service)
        self._intake = Intake(self._stage.transactions)

    async def hear(self, payload: Sequence[Message]) -> None:
        body = {"alerts": [message.as_json() for message in payload], "groupLabels": {}}
        await self._intake.take(
            self._key, IntegrationKind.ALERTMANAGER, {}, in_one_piece(json.dumps(body).encode())
        )

    async def state(self, told: Sequence[Message]) -> dict[str, Any]:
        """What is in the database, but for ids, and ends that were never told."""
        known_ends = {(message.name, message.starts_at) for message in told if message.ends_at}
        alerts = await self._stage.rows(
            select(Alert)
            .where(Alert.service_id == self._service.id)
            .order_by(Alert.fingerprint, Alert.starts_at)
        )
        incidents = await self._stage.rows(
            select(Incident).where(
                Incident.service_id == self._service.id, Incident.status == Status.OPEN
            )
        )
        return {
            "episodes": [
                (row.fingerprint, row.starts_at, row.status, row.refire_at) for row in alerts
            ],
            "ends": [
                row.ends_at for row in alerts if (row.fingerprint, row.starts_at) in known_ends
            ],
            "active": sorted(
                (firing_in(incident, alerts), incident.firing_count) for incident in incidents
            ),
        }


def firing_in(incident: Incident, alerts: Sequence[Alert]) -> list[str]:
    """The alerts of an incident that fire."""
    return [
        row.fingerprint
        for row in alerts
        if row.incident_id == incident.id and row.status is AlertStatus.FIRING
    ]


GROUPED = {"grouping": "labels", "grouping_labels": ["severity"]}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(story=stories(), pauses=st.lists(st.integers(0, 2), max_size=30), grouped=st.booleans())
async def test_a_story_ends_the_same_however_it_arrives(stage, story, pauses, grouped):
    told, payloads = story
    in_order, as_it_comes = (Telling(stage, **(GROUPED if grouped else {})) for _ in range(2))
    await in_order.begin()
    await as_it_comes.begin()

    for message in sorted(told, key=lambda message: message.ends_at or message.starts_at):
        await in_order.hear([message])
    for index, payload in enumerate(payloads):
        await as_it_comes.hear(payload)
        stage.clock.advance(seconds=pauses[index] if index < len(pauses) else 0)
    await stage.wait(2)

    assert await as_it_comes.state(told) == await in_order.state(told)
