"""People say how they want to be told, and are told so."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import select
from tests import factories
from tests.stage import MINUTE, Stage

from incident_service.notifications.models import Notification
from incident_service.teams.models import ContactMethod


def url_of(stage: Stage) -> str:
    return f"/v1/users/{stage.first.id}/notification-rules"


@pytest.fixture
async def addresses(transactions, stage) -> list[ContactMethod]:
    """The first one's webhook, and two more."""
    async with transactions.open() as tx:
        more = [await factories.make_contact_method(tx, stage.first) for _ in range(2)]
        own = select(ContactMethod).where(ContactMethod.user_id == stage.first.id)
        first = (await tx.session.scalars(own.order_by(ContactMethod.id))).first()
        assert first is not None
    return [first, *more]


def rule(method: ContactMethod, minutes: int = 0, priority: str = "critical") -> dict[str, Any]:
    return {
        "priority": priority,
        "contact_method_id": str(method.id),
        "delay_minutes": minutes,
    }


async def put(api: httpx.AsyncClient, stage: Stage, *rules: Any, **more: Any) -> httpx.Response:
    answer = await api.put(url_of(stage), json={"rules": list(rules)} | more)
    assert answer.status_code == 200, answer.text
    return answer


async def due(stage: Stage) -> list[tuple[Any, float, str]]:
    """Each address, the minutes after noon, and how it stands; the earliest first."""
    rows: list[Notification] = await stage.notifications(await stage.incident())
    began_at = min(row.created_at for row in rows)
    return sorted(
        (
            (
                row.contact_method_id,
                (row.due_at - began_at) / MINUTE,
                row.status.value,
            )
            for row in rows
        ),
        key=lambda each: each[1],
    )


async def test_without_rules_all_addresses_are_told_at_once(api, stage, addresses):
    shown = await api.get(url_of(stage))

    await stage.fire("Disk")

    assert shown.json() == {"rules": [], "quiet_hours": None}
    assert sorted(await due(stage)) == sorted((each.id, 0.0, "pending") for each in addresses)


async def test_a_page_goes_from_address_to_address(api, stage, addresses):
    shown = await put(api, stage, rule(addresses[1]), rule(addresses[2], 2), rule(addresses[0], 4))

    await stage.fire("Disk")

    assert [each["delay_minutes"] for each in shown.json()["rules"]] == [0, 2, 4]
    assert await due(stage) == [
        (addresses[1].id, 0, "pending"),
        (addresses[2].id, 2, "pending"),
        (addresses[0].id, 4, "pending"),
    ]


async def test_an_answer_ends_the_chain(api, stage, addresses):
    await put(api, stage, rule(addresses[1]), rule(addresses[2], 2))
    await stage.fire("Disk")
    await stage.do("acknowledge", await stage.incident(), by=stage.first)

    assert [status for _, _, status in await due(stage)] == ["cancelled", "cancelled"]


async def test_a_chain_goes_on_when_the_next_level_begins(api, stage, addresses):
    await put(api, stage, rule(addresses[1]), rule(addresses[2], 8))
    await stage.fire("Disk")

    await stage.wait(minutes=6)

    assert (addresses[2].id, 8, "pending") in await due(stage)
    assert await stage.told(await stage.incident()) == ["First", "First", "Second"]


async def test_quiet_hours_put_off_a_page_that_is_not_urgent(api, stage, addresses):
    await put(api, stage, quiet_hours={"from_time": "11:30", "to_time": "13:00"})

    await stage.fire("Disk", severity="warning")

    assert {minutes for _, minutes, _ in await due(stage)} == {60}


async def test_quiet_hours_never_put_off_what_is_urgent(api, stage, addresses):
    await put(api, stage, quiet_hours={"from_time": "11:30", "to_time": "13:00"})

    await stage.fire("Disk")

    assert {minutes for _, minutes, _ in await due(stage)} == {0}


async def test_an_address_that_goes_takes_only_its_own_rule_along(api, stage, addresses):
    await put(api, stage, rule(addresses[1]), rule(addresses[2], 2), rule(addresses[0], 4))
    await api.delete(f"/v1/users/{stage.first.id}/contact-methods/{addresses[2].id}")

    await stage.fire("Disk")

    assert [id_ for id_, _, _ in await due(stage)] == [addresses[1].id, addresses[0].id]


async def test_41_a_delay_that_is_still_ahead_counts_as_changed(api, stage, clock, addresses):
    await put(api, stage, rule(addresses[0]), rule(addresses[1], 3))
    await stage.fire("Disk")
    clock.advance(minutes=2)

    await put(api, stage, rule(addresses[0]), rule(addresses[1], 4), rule(addresses[2], 5))

    assert await due(stage) == [
        (addresses[0].id, 0, "pending"),
        (addresses[1].id, 4, "pending"),
        (addresses[2].id, 5, "pending"),
    ]


async def test_41_a_rule_that_is_deleted_in_mid_chain_leaves_the_others(
    api, stage, clock, addresses
):
    await put(api, stage, rule(addresses[0]), rule(addresses[1], 3), rule(addresses[2], 5))
    await stage.fire("Disk")
    clock.advance(minutes=2)

    await put(api, stage, rule(addresses[0]), rule(addresses[2], 5))

    assert await due(stage) == [
        (addresses[0].id, 0, "pending"),
        (addresses[1].id, 3, "cancelled"),
        (addresses[2].id, 5, "pending"),
    ]


async def test_41_a_delay_that_has_passed_is_not_made_up_for(api, stage, clock, addresses):
    await put(api, stage, rule(addresses[0]))
    await stage.fire("Disk")
    clock.advance(minutes=4)

    await put(api, stage, rule(addresses[0]), rule(addresses[1], 3))

    assert await due(stage) == [(addresses[0].id, 0, "pending")]


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"contact_method_id": str(uuid4())}, "/rules/0/contact_method_id"),
        ({"delay_minutes": -1}, "/rules/0/delay_minutes"),
        ({"delay_minutes": 1441}, "/rules/0/delay_minutes"),
        ({"priority": "urgent"}, "/rules/0/priority"),
    ],
)
async def test_a_rule_that_is_wrong_is_refused(api, stage, addresses, wrong, pointer):
    answer = await api.put(url_of(stage), json={"rules": [rule(addresses[0]) | wrong]})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_an_address_is_named_once_for_a_priority(api, stage, addresses):
    rules = [rule(addresses[0]), rule(addresses[0], 5)]

    answer = await api.put(url_of(stage), json={"rules": rules})

    assert answer.json()["errors"][0]["pointer"] == "/rules/1/contact_method_id"


async def test_quiet_hours_last_some_time(api, stage):
    quiet = {"from_time": "07:00", "to_time": "07:00"}

    answer = await api.put(url_of(stage), json={"rules": [], "quiet_hours": quiet})

    assert answer.status_code == 422


async def test_41_whoever_ends_the_quiet_hours_is_told_now(api, stage, clock, addresses):
    await put(api, stage, quiet_hours={"from_time": "11:30", "to_time": "13:00"})
    await stage.fire("Disk", severity="warning")
    clock.advance(minutes=10)

    await put(api, stage)

    assert [each for each in await due(stage) if each[2] == "pending"] == [
        (addresses[0].id, 10, "pending")
    ]


async def test_41_the_only_page_is_not_lost_by_a_shorter_delay(api, stage, clock, addresses):
    await put(api, stage, rule(addresses[0], 60))
    await stage.fire("Disk")
    clock.advance(minutes=2)

    await put(api, stage, rule(addresses[0], 1))

    assert await due(stage) == [(addresses[0].id, 2, "pending")]


async def test_41_what_was_left_out_by_mistake_is_taken_back_up(api, stage, clock, addresses):
    both = [rule(addresses[0]), rule(addresses[1], 4)]
    await put(api, stage, *both)
    await stage.fire("Disk")
    clock.advance(minutes=1)
    await put(api, stage, both[0])

    await put(api, stage, *both)

    assert (addresses[1].id, 4, "pending") in await due(stage)


async def test_a_higher_priority_ends_what_a_lower_one_has_put_off(api, transactions, clock, stage):
    url = f"/v1/services/{stage.service.id}"
    await api.patch(url, json={"grouping": "labels", "grouping_labels": ["team"]})
    await put(api, stage, quiet_hours={"from_time": "11:30", "to_time": "13:00"})
    await stage.fire("Disk", severity="warning", labels={"team": "db"})
    clock.advance(minutes=3)

    await stage.fire("Net", severity="critical", labels={"team": "db"})

    assert [minutes for _, minutes, _ in await due(stage)] == [3]
