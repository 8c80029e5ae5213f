"""The list of an incident's notifications says why somebody was not told, or not yet."""

from typing import Any

import pytest
from sqlalchemy import update
from tests import factories
from tests.notifications.arrangements import ScriptedChannel, make_courier, permanent, temporary
from tests.stage import Stage

from incident_service.core.db import Transactions
from incident_service.notifications.models import Notification
from incident_service.teams.models import ContactMethod


@pytest.fixture
async def second_address(transactions: Transactions, stage: Stage) -> ContactMethod:
    """Another one of the first person's."""
    async with transactions.open() as tx:
        return await factories.make_contact_method(tx, stage.first)


async def whys(api: Any, stage: Stage, number: int = -1) -> list[str | None]:
    """Of the last incident, or of another."""
    incident = (await stage.incidents())[number]
    answer = await api.get(f"/v1/incidents/{incident.id}/notifications")
    return [item["why"] for item in answer.json()["items"]]


async def deliver(stage: Stage, transactions: Transactions, *script: Exception) -> None:
    courier = make_courier(transactions, ScriptedChannel(*script))
    for row in await stage.notifications((await stage.incidents())[-1]):
        await courier.deliver(row.contact_method_id)


async def put_rules(api: Any, stage: Stage, *rules: tuple[Any, int], **more: Any) -> None:
    body = [
        {"priority": "critical", "contact_method_id": str(id_), "delay_minutes": minutes}
        for id_, minutes in rules
    ]
    url = f"/v1/users/{stage.first.id}/notification-rules"
    assert (await api.put(url, json={"rules": body} | more)).status_code == 200


async def test_what_was_sent_needs_no_reason(api, stage, transactions):
    await stage.fire("Disk")
    await deliver(stage, transactions)

    assert await whys(api, stage) == [None]


async def test_what_is_due_says_that_a_worker_is_to_come(api, stage):
    await stage.fire("Disk")

    assert await whys(api, stage) == [
        "It is due since 2026-11-02 12:00:00 UTC: the next worker that is free sends it."
    ]


async def test_what_failed_says_with_which_error(api, stage, transactions):
    await stage.fire("Disk")
    await deliver(stage, transactions, permanent())

    assert await whys(api, stage) == ["The receiver answered 404."]


async def test_what_is_tried_again_says_when(api, stage, transactions):
    await stage.fire("Disk")
    await deliver(stage, transactions, temporary())

    assert await whys(api, stage) == [
        "Attempt 1 failed; the next one is at 2026-11-02 12:00:02 UTC."
    ]


async def test_what_waits_for_an_earlier_address_says_until_when(api, stage, second_address):
    (own,) = [
        row["id"]
        for row in (await api.get(f"/v1/users/{stage.first.id}/contact-methods")).json()["items"]
        if row["id"] != str(second_address.id)
    ]
    await put_rules(api, stage, (own, 0), (second_address.id, 4))
    await stage.fire("Disk")

    assert (await whys(api, stage))[1] == (
        "By the person's rules this address follows at 2026-11-02 12:04:00 UTC."
    )


async def test_what_quiet_hours_put_off_says_until_when(api, stage):
    await put_rules(api, stage, quiet_hours={"from_time": "11:30", "to_time": "13:00"})
    await stage.fire("Disk", severity="warning")

    assert await whys(api, stage) == [
        "The person's quiet hours put it off until 2026-11-02 13:00:00 UTC."
    ]


async def test_what_is_bundled_says_when_its_page_goes(api, stage, transactions, clock):
    await stage.fire("Disk")
    await deliver(stage, transactions)
    clock.advance(seconds=10)
    await stage.fire("Net")

    [why] = await whys(api, stage)
    assert why == (
        "The address was sent a page less than 30 s ago: what is due meanwhile goes into one page "
        "at 2026-11-02 12:00:30 UTC."
    )


@pytest.mark.parametrize("verb", ["acknowledge", "resolve", "restart"])
async def test_what_was_taken_back_says_what_happened(api, stage, verb):
    words = {
        "acknowledge": "The incident was acknowledged before it was sent.",
        "resolve": "The incident was resolved before it was sent.",
        "restart": "The incident had moved on before it was sent.",
    }
    await stage.fire("Disk")

    await stage.do(verb, await stage.incident(), by=stage.second)

    assert (await whys(api, stage))[0] == words[verb]


async def test_what_was_snoozed_says_so(api, stage, clock):
    await stage.fire("Disk")

    until = clock.now.replace(hour=20)
    await stage.do("snooze", await stage.incident(), by=stage.second, until=until)

    assert await whys(api, stage) == ["The incident was snoozed before it was sent."]


async def test_what_a_claim_finds_overtaken_says_by_what(api, stage, transactions):
    await stage.fire("Disk")
    incident = await stage.incident()
    async with transactions.open() as tx:
        row = await tx.session.get_one(type(incident), incident.id)
        row.escalation_epoch += 1
    await deliver(stage, transactions)

    assert await whys(api, stage) == ["The incident had moved on before it was sent."]


async def test_what_new_rules_leave_out_says_so_until_they_take_it_up_again(
    api, stage, second_address
):
    (own, later) = [
        row["id"]
        for row in (await api.get(f"/v1/users/{stage.first.id}/contact-methods")).json()["items"]
    ]
    await put_rules(api, stage, (own, 0), (later, 4))
    await stage.fire("Disk")

    await put_rules(api, stage, (own, 0))
    left_out = await whys(api, stage)
    await put_rules(api, stage, (own, 0), (later, 3))

    assert left_out[1] == "The person's rules were changed before it was sent."
    assert (await whys(api, stage))[1] == (
        "By the person's rules this address follows at 2026-11-02 12:03:00 UTC."
    )


async def test_what_an_earlier_release_took_back_has_a_reason_too(api, stage, transactions):
    await stage.fire("Disk")
    await stage.do("acknowledge", await stage.incident(), by=stage.second)
    async with transactions.open() as tx:
        await tx.session.execute(update(Notification).values(cancelled_because=None))

    assert await whys(api, stage) == ["It was overtaken before it was sent."]
