"""People who acknowledge, let go and resolve at random."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from random import Random
from uuid import UUID

import httpx

from incident_service.core.stopping import stops_within

TIMEOUT_S = 10.0
# Done; overtaken by somebody else; come back later.
EXPECTED = (200, 409, 503)
VERBS = (("acknowledge",), ("acknowledge",), ("resolve",), ("acknowledge", "unacknowledge"))


class Responder:
    """Takes one open incident after the other.

    `answered` says when a 2xx had come for an acknowledge or a resolve that was this person's last
    word.
    """

    def __init__(self, seed: int, urls: Sequence[str], key: str) -> None:
        self._dice = Random(f"{seed}/responder")
        self._urls = urls
        self._headers = {"Authorization": f"Bearer {key}"}
        self.answered: dict[UUID, datetime] = {}

    async def run(self, stopping: asyncio.Event, pause_s: float) -> None:
        """Go on until `stopping` is set."""
        async with httpx.AsyncClient(
            trust_env=False, timeout=TIMEOUT_S, headers=self._headers
        ) as client:
            while not await stops_within(stopping, self._dice.uniform(0.5, 1.5) * pause_s):
                url, verbs = self._dice.choice(self._urls), self._dice.choice(VERBS)
                with suppress(httpx.TransportError):  # a person tries again later
                    await self._take_one(client, url, verbs)

    async def _take_one(self, client: httpx.AsyncClient, url: str, verbs: Sequence[str]) -> None:
        found = await client.get(f"{url}/v1/incidents", params={"status": "OPEN", "limit": 50})
        if not found.is_success or not found.json()["items"]:
            return
        incident_id = self._dice.choice(found.json()["items"])["id"]
        for verb in verbs:
            self.answered.pop(UUID(incident_id), None)
            answer = await client.post(f"{url}/v1/incidents/{incident_id}/{verb}", json={})
            assert answer.status_code in EXPECTED, answer.text
            if answer.is_success and verb != "unacknowledge":
                self.answered[UUID(incident_id)] = datetime.now(UTC)  # noqa: TID251
