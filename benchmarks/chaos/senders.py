"""Alertmanagers: what fires is sent, and sent again, until it is answered with 2xx."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

import httpx
from tests.api_steps import firing, resolved

from incident_service.core.stopping import stops_within

TIMEOUT_S = 10.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 5.0
# Alertmanager gives a notification up when its group's next one is due.
GIVE_UP_S = 20.0
MOST_IN_A_GROUP = 5

# How often something new fires; else an alert of some group changes, or the group is sent again.
NEW, CHANGED = 0.5, 0.6
# How often two of a cluster send the same.
TWICE = 0.1
STORED, COME_AGAIN = 202, 503

Episode = tuple[str, datetime]
"""The alert's name, and when it began."""


@dataclass(slots=True)
class Alert:
    """An alert of a sender; `ends_at` is None while it fires."""

    name: str
    starts_at: datetime
    ends_at: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        """Write it as Alertmanager does."""
        if self.ends_at is None:
            return firing(self.name, self.starts_at.isoformat())
        return resolved(self.name, self.starts_at.isoformat(), self.ends_at.isoformat())


@dataclass(slots=True)
class Tally:
    """What all senders saw."""

    stored: set[Episode] = field(default_factory=set)
    answered: int = 0
    refused: int = 0
    failed: int = 0


class Sender:
    """One Alertmanager with groups of alerts that fire, resolve and fire again."""

    def __init__(self, name: str, seed: int, urls: Sequence[str], key: str, tally: Tally) -> None:
        self._name = name
        self._dice = Random(f"{seed}/{name}")
        self._urls = urls
        self._headers = {"Authorization": f"Bearer {key}"}
        self._tally = tally
        self._groups: list[list[Alert]] = []
        self._unsent: list[list[Alert]] = []
        self._made = 0

    async def run(self, stopping: asyncio.Event, pause_s: float) -> None:
        """Go on until `stopping` is set; then send what could not be sent."""
        async with httpx.AsyncClient(trust_env=False, timeout=TIMEOUT_S) as client:
            while not await stops_within(stopping, self._dice.uniform(0.5, 1.5) * pause_s):
                group = self._happens()
                if not await self._flush(client, group):
                    self._unsent.append(group)
            for group in self._unsent:
                assert await self._flush(client, group), "the service did not come back"

    def _happens(self) -> list[Alert]:
        """Let something happen to a group, or nothing: then it is merely sent again."""
        now = datetime.now(UTC)  # noqa: TID251 - what senders do
        if not self._groups or self._dice.random() < NEW:
            self._made += 1
            alert = Alert(f"{self._name}-{self._made}", now)
            last = self._groups[-1] if self._groups else None
            if last is None or len(last) == MOST_IN_A_GROUP:
                self._groups.append([alert])
            else:
                last.append(alert)
            return self._groups[-1]
        group = self._dice.choice(self._groups[-10:])
        alert = self._dice.choice(group)
        if self._dice.random() < CHANGED:
            if alert.ends_at is None:
                alert.ends_at = now
            else:
                alert.starts_at, alert.ends_at = now, None
        return group

    async def _flush(self, client: httpx.AsyncClient, group: Sequence[Alert]) -> bool:
        """Send a group until it is answered with 2xx; say whether it was."""
        alerts = [alert.as_json() for alert in group]
        episodes = [(alert.name, alert.starts_at) for alert in group if alert.ends_at is None]
        pause_s = FIRST_PAUSE_S
        begun_s = asyncio.get_running_loop().time()
        while asyncio.get_running_loop().time() - begun_s < GIVE_UP_S:
            urls = [self._dice.choice(self._urls)]
            if self._dice.random() < TWICE:
                urls = list(self._urls)
            taken = await asyncio.gather(*(self._post(client, url, alerts) for url in urls))
            if any(taken):
                self._tally.stored.update(episodes)
                self._tally.answered += len(alerts)
                return True
            await stops_within(asyncio.Event(), pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
        return False

    async def _post(
        self, client: httpx.AsyncClient, url: str, alerts: Sequence[dict[str, Any]]
    ) -> bool:
        try:
            answer = await client.post(
                f"{url}/v1/ingest/alertmanager",
                json={"version": "4", "status": "firing", "groupLabels": {}, "alerts": alerts},
                headers=self._headers,
            )
        except httpx.TransportError:
            self._tally.failed += 1
            return False
        if answer.status_code == COME_AGAIN:
            self._tally.refused += 1
            return False
        assert answer.status_code == STORED, answer.text
        return True
