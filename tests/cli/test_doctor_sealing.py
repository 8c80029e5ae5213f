"""What `doctor` says about addresses and secrets that are, or are not, sealed."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests import factories
from tests.core.test_sealing import NEW, OLD, with_keys
from tests.subscriptions.arrangements import ANYBODY

from incident_service.cli.doctor.finding import Finding, Level, Patient
from incident_service.cli.doctor.process import STAGES
from incident_service.cli.doctor.sealing import check_sealing
from incident_service.cli.openapi import NOWHERE
from incident_service.cli.sealing import SEALED
from incident_service.core.db import Transactions
from incident_service.core.resealing import reseal
from incident_service.core.runtime import Runtime, open_runtime
from incident_service.core.sealing import Sealer
from incident_service.settings import Settings
from incident_service.subscriptions import actions
from incident_service.subscriptions.schemas import SubscriptionCreate

ADDRESS = "https://pager.example/secret"
URL = "https://bot.example/secret-too"
COUNTED = (
    "1 in contact_methods.address, 1 in webhook_subscriptions.secret, "
    "1 in webhook_subscriptions.url"
)


@pytest.fixture
async def runtime(transactions: Transactions, database_url: str) -> AsyncIterator[Runtime]:
    servers: dict[str, Any] = NOWHERE | {"database_url": database_url}
    async with open_runtime(Settings(_env_file=None, **servers)) as opened:
        yield opened


async def examine(runtime: Runtime, *keys: str) -> Finding:
    settings: dict[str, Any] = {"sealing_key": ",".join(keys)} if keys else {}
    return await check_sealing(Patient(Settings(_env_file=None, **settings), runtime))


async def store(transactions: Transactions) -> None:
    """Store an address, a URL and its secret, and some that are none."""
    async with transactions.open() as tx:
        await factories.make_user(tx, address=ADDRESS)
        body = {"name": "Bot", "url": URL}
        await actions.create_subscription(tx, SubscriptionCreate.model_validate(body), by=ANYBODY)


def test_it_is_one_of_the_checks():
    assert check_sealing in STAGES[-1].checks


async def test_without_a_key_it_warns_and_counts_what_can_be_read(transactions, runtime):
    await store(transactions)

    finding = await examine(runtime)

    assert finding.level is Level.WARNING
    assert "3 addresses and secrets can be read" in finding.text
    assert "set INCIDENT_SERVICE_SEALING_KEY" in finding.what_to_do
    assert "`incident-service reseal`" in finding.what_to_do


async def test_what_is_still_plain_is_to_be_resealed(transactions, runtime):
    await store(transactions)

    finding = await examine(runtime, NEW)

    assert finding.level is Level.WARNING
    assert "3 in plain text, 0 with an earlier key" in finding.text
    assert COUNTED in finding.text
    assert finding.what_to_do == "run `incident-service reseal`"


async def test_an_earlier_key_is_to_be_kept_until_everything_is_resealed(
    transactions, runtime, database_url
):
    async with with_keys(database_url, [OLD]) as sealing:
        await store(sealing)

    before = await examine(runtime, NEW, OLD)
    await reseal(transactions, Sealer([NEW, OLD]), SEALED)
    after = await examine(runtime, NEW)

    assert before.level is Level.WARNING
    assert "0 in plain text, 3 with an earlier key" in before.text
    assert "keep the earlier key" in before.what_to_do
    assert (after.level, after.text) == (Level.OK, "3 addresses and secrets are sealed")


@pytest.mark.parametrize(
    ("keys", "says", "what_to_do"),
    [
        ((), "SEALING_KEY is not set", "set INCIDENT_SERVICE_SEALING_KEY to the key that sealed"),
        ((NEW,), "none of the keys opens", "add the key that sealed them"),
    ],
)
async def test_what_no_key_opens_is_a_problem(runtime, database_url, keys, says, what_to_do):
    async with with_keys(database_url, [OLD]) as sealing:
        await store(sealing)

    finding = await examine(runtime, *keys)

    assert finding.level is Level.PROBLEM
    assert says in finding.text
    assert COUNTED in finding.text
    assert what_to_do in finding.what_to_do


async def test_it_shows_neither_keys_nor_what_is_stored(transactions, runtime, database_url):
    await store(transactions)
    async with with_keys(database_url, [OLD]) as sealing:
        await store(sealing)

    said = [str(await examine(runtime, *keys)) for keys in ((), (NEW,), (NEW, OLD))]

    for secret in (ADDRESS, URL, "whsec_", OLD, NEW):
        assert secret not in "".join(said)
