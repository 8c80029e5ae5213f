"""Policies, as tests ask for them through the API."""

from typing import Any
from uuid import UUID

import httpx
from tests.stage import Stage


async def give_levels(api: httpx.AsyncClient, stage: Stage, *levels: Any, **more: Any) -> None:
    url = f"/v1/escalation-policies/{stage.policy.id}"
    answer = await api.patch(url, json={"levels": levels} | more)
    assert answer.status_code == 200, answer.text


def of_user(user_id: UUID) -> dict[str, Any]:
    return {"target_type": "user", "target_id": str(user_id), "timeout_minutes": 5}


def of_schedule(made: dict[str, Any]) -> dict[str, Any]:
    return {"target_type": "schedule", "target_id": made["id"], "timeout_minutes": 45}
