"""Schedules, as tests ask for them through the API."""

from typing import Any

import httpx
from tests.stage import Stage

from incident_service.teams.models import User

URL = "/v1/schedules"


def layer(*people: User, **more: Any) -> dict[str, Any]:
    """A week each, from Monday 9 o'clock."""
    return {"name": "Weekly", "participants": [str(person.id) for person in people]} | more


def schedule(stage: Stage, *layers: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "team_id": str(stage.team.id),
        "name": "Primary",
        "time_zone": "Europe/Berlin",
        "layers": list(layers),
    } | more


async def make(api: httpx.AsyncClient, body: dict[str, Any]) -> dict[str, Any]:
    answer = await api.post(URL, json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made
