"""PostgreSQL is restarted, killed, or silent: nothing is lost, and nobody has to restart us."""

import asyncio
import signal
from collections.abc import AsyncIterator

import httpx
import pytest
from tests.api_steps import Customer, firing, set_up
from tests.conftest import EMPTY, execute
from tests.outages.conftest import DATABASE, kill
from tests.receiver import WebhookReceiver, webhook_receiver
from tests.running import Service, drill_settings, running

from incident_service.core.stopping import stops_within

pytestmark = pytest.mark.faults

MINUTE_S = 0.4  # level 1 lasts 2 s
GIVEN_UP_AFTER_S = 1.5


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with webhook_receiver() as receiver:
        yield receiver


@pytest.fixture
async def service(own_database_url, own_postgres, valkey) -> AsyncIterator[Service]:
    settings = drill_settings(
        own_database_url, valkey.url, MINUTE_S, transaction_seconds=GIVEN_UP_AFTER_S
    )
    async with running(settings) as service:
        yield service
    await execute(own_postgres.database_url(DATABASE), EMPTY)


@pytest.fixture
async def customer(service: Service, receiver: WebhookReceiver) -> Customer:
    return await set_up(
        service.api,
        [receiver.url("one"), receiver.url("two")],
        bundle=False,
        policy={"exhausted_reminder_minutes": None},  # a slow test is no reason to page again
    )


async def sent_until_stored(customer: Customer, name: str) -> list[int]:
    """Send as Alertmanager does: again after any 5xx. Returns the answers."""
    answers: list[int] = []
    async with asyncio.timeout(60):
        while 202 not in answers:
            answers.append((await customer.webhook(firing(name))).status_code)
            await stops_within(asyncio.Event(), 0.05)
    return answers


async def is_ready(api: httpx.AsyncClient) -> bool:
    return (await api.get("/readyz")).status_code == 200


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["fast", "immediate"])
async def test_a_restart_costs_503s_and_nothing_else(customer, receiver, own_postgres, how):
    await customer.webhook(firing("Before"))
    await receiver.expect(1, to="one")

    kill(own_postgres, how)
    answers = await sent_until_stored(customer, "Meanwhile")
    await receiver.expect_titles(["Before", "Meanwhile"], to="two", within_s=30)

    assert set(answers) <= {202, 503}
    assert {incident["title"] for incident in await customer.incidents()} == {"Before", "Meanwhile"}


async def test_a_database_that_falls_silent_is_a_503_in_time_and_no_restart(
    customer, receiver, to_postgres
):
    await customer.webhook(firing("Before"))

    to_postgres.freeze()
    async with asyncio.timeout(8):
        answer = await customer.webhook(firing("Meanwhile"))
    ready_while_frozen = await is_ready(customer.api)
    to_postgres.thaw()
    answers = await sent_until_stored(customer, "Meanwhile")

    assert answer.status_code == 503
    assert not ready_while_frozen
    assert answers[-1] == 202
    assert await is_ready(customer.api)


async def test_a_verb_does_not_wait_for_a_silent_database_either(customer, to_postgres):
    await customer.webhook(firing("Disk"))
    (incident,) = await customer.incidents()

    to_postgres.freeze()
    async with asyncio.timeout(8):
        answer = await customer.do("acknowledge", incident["id"])
    to_postgres.thaw()

    assert answer.status_code == 503
    assert answer.headers["retry-after"]


async def test_workers_go_on_when_their_connections_are_cut(customer, receiver, to_postgres):
    await customer.webhook(firing("Disk"))
    await receiver.expect(1, to="one")

    await to_postgres.cut()

    await receiver.expect(1, to="two", within_s=30)
