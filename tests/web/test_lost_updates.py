"""Of several who change the same thing at once, having seen the same, one does."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from tests.conditions import ASKED, OPERATIONS, tag_seen
from tests.teams.test_permissions import World

Change = Callable[[int], Any]
RACES: dict[str, Change] = {
    "update_team": lambda n: {"name": f"Name {n}"},
    "update_service": lambda n: {"description": f"Text {n}"},
    "update_schedule": lambda n: {"layers": []} if n else {"time_zone": "Europe/Berlin"},
    "update_webhook_subscription": lambda n: {"name": f"Name {n}"},
    "update_escalation_policy": lambda n: {"levels": []} if n else {"repeat_count": 3},
    "replace_level": lambda n: {"target_type": "entire_team", "timeout_minutes": 10 + n},
    "replace_routing_rules": lambda n: {"rules": []},
    "replace_notification_rules": lambda n: {
        "rules": [],
        "quiet_hours": {"from_time": f"0{n}:00", "to_time": "08:00"},
    },
    "acknowledge_incident": lambda n: {"reason": f"Reason {n}"},
    "add_incident_note": lambda n: {"text": f"Text {n}"},
}


@pytest.fixture
async def world(api, stage, transactions, kept) -> World:
    return await World(api, stage, transactions).set_up(kept)


@pytest.mark.parametrize("name", RACES)
async def test_of_writers_who_saw_the_same_exactly_one_wins(world: World, name: str):
    request = await ASKED[name](world)
    tag = await tag_seen(world, OPERATIONS[name], request)

    async def change(n: int) -> httpx.Response:
        return await world.api.request(*request[:2], json=RACES[name](n), headers={"If-Match": tag})

    answers = await asyncio.gather(*(change(n) for n in range(4)))

    assert sorted(each.status_code for each in answers) == [200, 412, 412, 412]
