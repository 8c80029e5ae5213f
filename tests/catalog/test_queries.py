from datetime import timedelta
from typing import Any
from uuid import UUID

from tests import factories

from incident_service.catalog import queries
from incident_service.catalog.models import Integration
from incident_service.core import tokens
from incident_service.core.db import Transactions, Tx

HOUR = timedelta(hours=1)


async def make_integration(tx: Tx, **changes: Any) -> tuple[Integration, str]:
    service = await factories.make_service(tx, await factories.make_team(tx))
    return await factories.make_integration(tx, service, **changes)


async def found(transactions: Transactions, key: str) -> UUID | None:
    async with transactions.open() as tx:
        integration = await queries.find_integration(tx.session, key, tx.now)
        return integration.id if integration else None


async def test_an_integration_is_found_by_its_key(transactions):
    async with transactions.open() as tx:
        await make_integration(tx)
        integration, key = await make_integration(tx)

    assert await found(transactions, key) == integration.id


async def test_an_unknown_key_finds_nothing(transactions):
    async with transactions.open() as tx:
        await make_integration(tx)

    assert await found(transactions, "isi_unknown") is None


async def test_a_hash_is_not_a_key(transactions):
    async with transactions.open() as tx:
        integration, _ = await make_integration(tx)

    assert await found(transactions, integration.key_digest) is None


async def test_the_previous_key_counts_until_its_time_is_over(transactions, clock):
    previous = tokens.make("isi")
    async with transactions.open() as tx:
        integration, _ = await make_integration(
            tx, previous_key_digest=previous.digest, previous_key_expires_at=clock.now + HOUR
        )

    before = await found(transactions, previous.text)
    clock.advance(hours=1)
    after = await found(transactions, previous.text)

    assert (before, after) == (integration.id, None)


async def test_a_disabled_integration_is_found_too(transactions):
    async with transactions.open() as tx:
        integration, key = await make_integration(tx, is_enabled=False)

    assert await found(transactions, key) == integration.id


async def test_keys_are_not_stored(transactions):
    async with transactions.open() as tx:
        integration, key = await make_integration(tx)

    async with transactions.open() as tx:
        row = await tx.session.get_one(Integration, integration.id)
    assert key not in str(vars(row))


async def test_services_are_loaded_by_id(transactions):
    async with transactions.open() as tx:
        team = await factories.make_team(tx)
        one, two, _ = [await factories.make_service(tx, team) for _ in range(3)]

    async with transactions.open() as tx:
        services = await queries.load_services(tx.session, [one.id, two.id, team.id])
    assert set(services) == {one.id, two.id}
