"""The service as the demo sees it: through its public API."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import httpx

from incident_service.cli.failing import CannotRun
from incident_service.cli.samples import Webhook, webhook
from incident_service.core.clock import monotonic_s
from incident_service.core.stopping import stops_within

Item = TypeVar("Item")
AT_ONCE = 8
TRIES = 20


@dataclass(frozen=True, slots=True)
class Access:
    """Where a service is, and the keys to it; what is empty is not known."""

    url: str = ""
    api_key: str = ""
    integration_key: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a webhook: its outcomes, and the incidents, in the order of its alerts."""

    outcomes: list[str]
    incident_ids: list[str]
    took_s: float


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the climb."""

    repeat: int
    level: int


@dataclass(frozen=True, slots=True)
class Timer:
    """What an incident waits for."""

    id: str
    arq_job_id: str
    position: Position
    due_at: datetime
    is_cancelled: bool
    is_pending: bool


class Service:
    """A service and the keys to it."""

    def __init__(self, client: httpx.AsyncClient, access: Access) -> None:
        self._client = client
        self._access = access

    async def send(self, alerts: Sequence[Webhook]) -> Answer:
        """Send one webhook, as Alertmanager does."""
        began_s = monotonic_s()
        body = await self._ask(
            "POST", "/v1/ingest/alertmanager", self._access.integration_key, json=webhook(alerts)
        )
        results = body["results"]
        return Answer(
            [result["outcome"] for result in results],
            [result["incident_id"] for result in results],
            monotonic_s() - began_s,
        )

    async def open_incidents(self) -> list[str]:
        """Return the ids of incidents that still page, the newest 200."""
        page = await self._get("/v1/incidents?status=OPEN&is_quiet=false&limit=200")
        return [incident["id"] for incident in page["items"]]

    async def statuses(self, incident_ids: Sequence[str]) -> list[str]:
        """Return the status of each incident."""
        incidents = await each(incident_ids, lambda id_: self._get(f"/v1/incidents/{id_}"))
        return [incident["status"] for incident in incidents]

    async def notifications(self, incident_ids: Sequence[str]) -> list[dict[str, Any]]:
        """Return who was told about the incidents."""
        pages = await each(
            incident_ids, lambda id_: self._get(f"/v1/incidents/{id_}/notifications?limit=200")
        )
        return [item for page in pages for item in page["items"]]

    async def timers(self, incident_ids: Sequence[str]) -> list[Timer]:
        """Return the last timer of each incident that has one."""
        pages = await each(
            incident_ids, lambda id_: self._get(f"/v1/incidents/{id_}/escalation-jobs?limit=200")
        )
        return [read_timer(page["items"][-1]) for page in pages if page["items"]]

    async def acknowledge(self, incident_ids: Sequence[str]) -> None:
        """Take the incidents."""
        key = self._access.api_key
        await each(
            incident_ids, lambda id_: self._ask("POST", f"/v1/incidents/{id_}/acknowledge", key)
        )

    async def user_name(self, user_id: str | None) -> str:
        """Return the name of a person."""
        if user_id is None:
            return "the fallback contact"
        return str((await self._get(f"/v1/users/{user_id}"))["name"])

    async def _get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        return await self._ask("GET", path, self._access.api_key)

    async def _ask(self, method: str, path: str, key: str, **more: Any) -> Any:  # noqa: ANN401 - JSON
        """Ask and return the answer; when that is too soon, come again when the service says.

        Raises:
            CannotRun: the service cannot be reached, or refuses.
        """
        headers = {"Authorization": f"Bearer {key}"}
        for _ in range(TRIES):
            try:
                answer = await self._client.request(method, path, headers=headers, **more)
            except httpx.TransportError as error:
                raise CannotRun(f"{self._access.url} does not answer ({error!r}).") from error
            if answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
                break
            await stops_within(asyncio.Event(), float(answer.headers["Retry-After"]))
        if not answer.is_success:
            raise CannotRun(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer.json()


def read_timer(row: dict[str, Any]) -> Timer:
    """Read one entry of an incident's escalation jobs."""
    return Timer(
        id=row["id"],
        arq_job_id=row["arq_job_id"],
        position=Position(row["scheduled_repeat"], row["scheduled_level"]),
        due_at=datetime.fromisoformat(row["scheduled_for"]),
        is_cancelled=row["cancelled_at"] is not None,
        is_pending=not row["completed"] and row["cancelled_at"] is None,
    )


async def each(ids: Sequence[str], ask: Callable[[str], Awaitable[Item]]) -> list[Item]:
    """Ask about each of the ids, a few at a time."""
    free = asyncio.Semaphore(AT_ONCE)

    async def ask_in_turn(id_: str) -> Item:
        async with free:
            return await ask(id_)

    return list(await asyncio.gather(*map(ask_in_turn, ids)))
