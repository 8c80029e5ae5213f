"""Maintenance as people start it: through the API."""

from typing import Any

import httpx
from tests.stage import MINUTE, Stage

URL = "/v1/maintenance-windows"


def window(stage: Stage, minutes: float = 60, *, after: float = 0, **more: Any) -> dict[str, Any]:
    """A window of `minutes`, which begins `after` so many."""
    starts_at = stage.clock() + after * MINUTE
    return {
        "team_id": str(stage.team.id),
        "starts_at": starts_at.isoformat(),
        "ends_at": (starts_at + minutes * MINUTE).isoformat(),
        "reason": "The database moves",
    } | more


async def maintain(
    api: httpx.AsyncClient, stage: Stage, minutes: float = 60, *, after: float = 0, **more: Any
) -> dict[str, Any]:
    """Make a window, and return it."""
    made = await api.post(URL, json=window(stage, minutes, after=after, **more))
    assert made.status_code == 201, made.text
    answer: dict[str, Any] = made.json()
    return answer


async def end(api: httpx.AsyncClient, made: dict[str, Any]) -> httpx.Response:
    return await api.post(f"{URL}/{made['id']}/end")


async def change(api: httpx.AsyncClient, made: dict[str, Any], **changes: Any) -> httpx.Response:
    return await api.patch(f"{URL}/{made['id']}", json=changes)
